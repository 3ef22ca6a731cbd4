"""Image names and digests, read the way the runtimes write them."""

from __future__ import annotations

from typing import NamedTuple

_SCHEMES = ("docker-pullable://", "docker://", "containerd://", "cri-o://")


class Image(NamedTuple):
    """The parts of an image name: `registry` and `tag` are empty when not given."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def floating(self) -> bool:
        """Whether the name may mean another image tomorrow: no digest, and no tag or `latest`."""
        return not self.digest and self.tag in ("", "latest")

    @property
    def short(self) -> str:
        """The last part of the repository: `kube-router` of
        `docker.io/cloudnativelabs/kube-router:v1`."""
        return self.repository.rsplit("/", 1)[-1]


def parse(name: str) -> Image:
    """Split an image name. A colon after the last slash starts the tag; one before it is a port of
    the registry.

    The first part is a registry when it holds a dot or a colon, or is `localhost`
    (distribution/reference).
    """
    name, _, digest = name.partition("@")
    head, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    path = f"{head}{slash}{base}"
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Image(first, rest, tag, digest)
    return Image("", path, tag, digest)


def digest_of(image_id: str) -> tuple[str, str]:
    """The comparable part of an imageID: ("repo", digest), ("config", digest) or ("", "") when it
    says nothing.

    Runtimes report the digest of the manifest (`repo@sha256:…`) or of the configuration (a bare
    `sha256:…`): only like may be compared with like (kubernetes issue 115199, containerd issue
    8408).
    """
    for scheme in _SCHEMES:
        image_id = image_id.removeprefix(scheme)
    repository, at, digest = image_id.rpartition("@")
    if at and repository and digest:
        return ("repo", digest)
    bare = digest or image_id
    if bare.startswith("sha256:"):
        return ("config", bare)
    if len(bare) == 64 and all(c in "0123456789abcdef" for c in bare):
        return ("config", f"sha256:{bare}")
    return ("", "")


def short_digest(digest: str) -> str:
    """`sha256:9f1c…` for people."""
    algorithm, colon, value = digest.partition(":")
    return f"{algorithm}{colon}{value[:8]}" if colon else digest[:12]
