"""Where the Kubernetes programs come from: KUBEBUILDER_ASSETS, the cache, or one build from the Go
modules beside this file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.rungs.programs.processes import RungMissing

MODULES = Path(__file__).parent / "binaries"
KUBERNETES = "v1.34.4"
PACKAGES: Mapping[str, tuple[str, str]] = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": ("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kube-proxy": ("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy"),
    "kubelet": ("kubernetes", "k8s.io/kubernetes/cmd/kubelet"),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
}
# Without these a server built from modules calls itself v0.0.0 and refuses to compare versions.
LDFLAGS = " ".join(
    [
        "-s -w",
        f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}",
        "-X k8s.io/component-base/version.gitMajor=1",
        "-X k8s.io/component-base/version.gitMinor=34",
    ]
)
BUILD_LIMIT = 40 * 60.0


def cache_directory() -> Path:
    """The user's cache folder for built programs; they stay outside the tree and survive a fresh
    clone."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "stanch" / "rungs"


def program(name: str) -> Path:
    """The path of a program: from KUBEBUILDER_ASSETS (the convention of controller-runtime's
    envtest), else built once.

    The cached build is keyed by the module's go.mod and go.sum, the linker flags and the
    architecture. Raises RungMissing when it is neither there nor can be built.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / name, os.X_OK):
        return Path(assets) / name
    module, package = PACKAGES[name]
    source = MODULES / module
    key = hashlib.sha256(LDFLAGS.encode() + platform.machine().encode())
    key.update((source / "go.mod").read_bytes())
    key.update((source / "go.sum").read_bytes())
    folder = cache_directory() / f"{module}-{key.hexdigest()[:16]}"
    target = folder / name
    if not target.exists():
        build(source, package, target)
    return target


def build(source: Path, package: str, target: Path) -> None:
    """Build one main package of the module `source` to `target`; concurrent callers wait for the
    first one."""
    go = shutil.which("go")
    if go is None:
        raise RungMissing(
            f"{target.name}: not in KUBEBUILDER_ASSETS and no Go toolchain on PATH to build it; "
            "install Go 1.24+"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        part = target.with_suffix(".part")
        done = subprocess.run(
            [
                "nice",
                "-n",
                "5",
                go,
                "build",
                "-trimpath",
                "-ldflags",
                LDFLAGS,
                "-o",
                str(part),
                package,
            ],
            cwd=source,
            env={**os.environ, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise RungMissing(f"{target.name}: go build failed:\n{done.stdout[-2000:]}")
        part.replace(target)


def programs(*names: str) -> dict[str, Path]:
    """`program` for several names."""
    return {name: program(name) for name in names}
