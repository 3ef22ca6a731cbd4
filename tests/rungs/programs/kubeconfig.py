"""Kubeconfig files of test clusters, and a plain httpx client made from one."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.rungs.programs.certificates import Certificate


def write(
    path: Path,
    server: str,
    authority: Path,
    *,
    client: Certificate | None = None,
    token: str | None = None,
) -> Path:
    """Write a kubeconfig with everything inline, readable by its owner only, and return its
    path."""

    def inline(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    user: dict[str, str] = {}
    if client is not None:
        user = {
            "client-certificate-data": inline(client.certificate),
            "client-key-data": inline(client.key),
        }
    if token is not None:
        user["token"] = token
    name = path.stem
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": inline(authority)},
            }
        ],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


def current(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The (cluster, user) entries of the current context."""
    content = yaml.safe_load(path.read_text())

    def named(section: str, name: str, field: str) -> dict[str, Any]:
        return next((entry[field] or {} for entry in content[section] if entry["name"] == name), {})

    context = named("contexts", content["current-context"], "context")
    return named("clusters", context["cluster"], "cluster"), named(
        "users", context.get("user", ""), "user"
    )


def trust(path: Path) -> ssl.SSLContext | None:
    """The TLS settings of the current context with its client certificate; None for a server
    without TLS."""
    cluster, user = current(path)
    if not cluster["server"].startswith("https"):
        return None
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    if "client-certificate-data" in user:
        with (
            tempfile.TemporaryDirectory() as folder
        ):  # the ssl module reads key pairs from files only
            certificate, key = Path(folder) / "crt", Path(folder) / "key"
            certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
            key.write_bytes(base64.b64decode(user["client-key-data"]))
            context.load_cert_chain(certificate, key)
    return context


def headers(path: Path) -> dict[str, str]:
    """The Authorization header of the current context's user, if it has a token."""
    user = current(path)[1]
    return {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}


def connect(path: Path, *, limit: float = 30.0) -> httpx.Client:
    """A client whose base address is the server. `limit` (seconds) holds for connect, read and
    write alike."""
    server = current(path)[0]["server"]
    return httpx.Client(
        base_url=server,
        verify=trust(path) or True,
        headers=headers(path),
        timeout=limit,
        trust_env=False,
    )
