"""Server, trust, proxy and user of one cluster, as read from a kubeconfig: plain values."""

from __future__ import annotations

from collections.abc import Mapping
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
    """What a kubeconfig says about the user. Secrets are left out of repr()."""

    name: str = ""
    certificate_file: Path | None = None
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_file: Path | None = None
    key_pem: bytes | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    exec: ExecPlugin | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Impersonation headers (`as`, `as-uid`)."""
    groups: tuple[str, ...] = ()
    """Impersonated groups (`as-groups`), one Impersonate-Group header each."""


class Access(msgspec.Struct, frozen=True):
    """One way to one cluster.

    `namespace` is the context's namespace, "" when it names none. `sources` are the files it was
    read from.
    `warnings` are sentences worth showing at the start, such as an insecure connection or a
    certificate that ends soon.
    """

    server: str
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    trust: Trust = msgspec.field(default_factory=Trust)
    user: User = msgspec.field(default_factory=User)
    proxy: str = ""
    sources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
