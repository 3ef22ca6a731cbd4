"""Server, trust, proxy and user of one cluster, as read from a kubeconfig: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec


class Trust(msgspec.Struct, frozen=True):
    """How the server's certificate is judged. `ca_pem` None: the system's authorities."""

    ca_pem: bytes | None = None
    insecure: bool = False
    server_name: str = ""
    """Name expected in the certificate and sent as SNI; "" takes the host of the URL."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """The `exec` stanza of a user (client.authentication.k8s.io/v1 and v1beta1)."""

    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = ""
    interactive_mode: str = ""
    provide_cluster_info: bool = False
    install_hint: str = ""
    folder: Path | None = None
    """Folder of the kubeconfig: commands with a slash are relative to it."""
    cluster_config: Any = None
    """The cluster's extension `client.authentication.k8s.io/exec`, passed on to the plug-in."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of a kubeconfig. Its secrets are not in repr()."""

    name: str = ""
    certificate_file: Path | None = None
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_file: Path | None = None
    key_pem: bytes | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    """Used where `token_file` cannot be read."""
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    exec: ExecPlugin | None = None
    impersonation: tuple[tuple[str, str], ...] = ()
    """Impersonate headers, from `as`, `as-uid`, `as-groups` and `as-user-extra`."""


class Access(msgspec.Struct, frozen=True):
    """How one cluster is reached.

    `namespace` is that of the context, "" when it names none. `sources` are the files that were
    read. `warnings` are sentences to show at the start, about an insecure connection or a
    certificate that expires soon.
    """

    server: str
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    trust: Trust = msgspec.field(default_factory=Trust)
    user: User = msgspec.field(default_factory=User)
    proxy: str = ""
    compress: bool = True
    """Whether lists are asked for with gzip: False by `disable-compression`, for networks that
    carry more than a core unpacks."""
    sources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def uses_tls(self) -> bool:
        return self.server.startswith("https:") or self.proxy.startswith("https:")

    @property
    def proxy_name(self) -> str:
        """The proxy without its password."""
        scheme, separator, rest = self.proxy.partition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    @property
    def target(self) -> str:
        """Server and proxy as messages name them."""
        return f"{self.server} through {self.proxy_name}" if self.proxy else self.server
