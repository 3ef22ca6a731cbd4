"""Runs exec credential plug-ins (client.authentication.k8s.io/v1 and v1beta1) without giving them
the terminal.

A plug-in gets no standard input and no controlling terminal, so that it can neither ask questions
behind the screens nor write over them; its standard error is captured, cleaned and quoted when it
fails.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cluster.connect.access import Access, ExecPlugin
from cluster.errors import CredentialError
from cluster.kube.text import clean_line

TIME_LIMIT = 30.0
"""Seconds a plug-in may take."""
OUTPUT_LIMIT = 1_000_000
"""Bytes of standard output that are accepted."""
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True)
class PluginCredential:
    """What a plug-in gave: a token, a certificate pair or both. `expires` None: valid until the
    server refuses it."""

    token: str = field(default="", repr=False)
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)
    expires: datetime | None = None


async def run_plugin(
    access: Access, plugin: ExecPlugin, limit: float = TIME_LIMIT
) -> PluginCredential:
    """Run the plug-in once. Raises `CredentialError` with one sentence that names the command."""
    shown = clean_line(plugin.command, 200)
    if plugin.api_version not in VERSIONS:
        raise CredentialError(
            f"Exec plug-in {shown} asks for "
            f"{clean_line(plugin.api_version, 80) or 'no apiVersion'}, which is not supported;"
            f" set apiVersion {VERSIONS[0]} in the kubeconfig and update the plug-in."
        )
    if plugin.interactive_mode == "Always":
        raise CredentialError(
            f"Exec plug-in {shown} insists on a terminal (interactiveMode: Always); run `kubectl "
            "get nodes` once to log in."
        )
    stdout, stderr, code = await _run(access, plugin, shown, limit)
    said = (
        f": {clean_line(stderr.decode('utf-8', 'replace').strip(), 400)}" if stderr.strip() else ""
    )
    if code != 0:
        how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise CredentialError(f"Exec plug-in {shown} {how}{said}; run it by hand or log in again.")
    return _parse(stdout, plugin, shown, said)


async def _run(
    access: Access, plugin: ExecPlugin, shown: str, limit: float
) -> tuple[bytes, bytes, int]:
    environment = {
        **os.environ,
        **dict(plugin.env),
        "KUBERNETES_EXEC_INFO": json.dumps(_exec_info(access, plugin), default=str),
    }
    command = plugin.command
    if os.sep in command and not os.path.isabs(command) and plugin.folder is not None:
        command = str(plugin.folder / command)
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *plugin.args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
            limit=OUTPUT_LIMIT,
        )
    except FileNotFoundError as error:
        hint = (
            f" {plugin.install_hint}" if plugin.install_hint else " Install it or put it on PATH."
        )
        raise CredentialError(f"Exec plug-in {shown} is not installed.{hint}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in it, or no name of a variable
        why = clean_line(getattr(error, "strerror", None) or str(error), 200)
        raise CredentialError(
            f"Exec plug-in {shown} cannot be started: {why}; check its mode, path and env."
        ) from error
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(limit):
            stdout, stderr = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            return stdout, stderr, await process.wait()
    except TimeoutError as error:
        raise CredentialError(
            f"Exec plug-in {shown} gave no credential within {limit:g} s; run it by hand, it may "
            "wait for a login."
        ) from error
    finally:
        await _end(process)


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All of a stream, of which at most OUTPUT_LIMIT bytes are kept: the plug-in never blocks on a
    full pipe."""
    kept = bytearray()
    while chunk := await stream.read(65_536):
        kept += chunk[: max(0, OUTPUT_LIMIT - len(kept))]
    return bytes(kept)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # ended in between
            # its own session: helpers that it started go with it
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _exec_info(access: Access, plugin: ExecPlugin) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        cluster: dict[str, Any] = {"server": access.server}
        if access.trust.server_name:
            cluster["tls-server-name"] = access.trust.server_name
        if access.trust.insecure:
            cluster["insecure-skip-tls-verify"] = True
        if access.trust.ca_pem:
            cluster["certificate-authority-data"] = base64.b64encode(access.trust.ca_pem).decode()
        if access.proxy:
            cluster["proxy-url"] = access.proxy
        if not access.compress:
            cluster["disable-compression"] = True
        if plugin.cluster_config is not None:
            cluster["config"] = plugin.cluster_config
        spec["cluster"] = cluster
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _parse(stdout: bytes, plugin: ExecPlugin, shown: str, said: str) -> PluginCredential:
    def fail(why: str) -> CredentialError:
        return CredentialError(
            f"Exec plug-in {shown} {why}{said}; run it by hand and look at its output."
        )

    try:
        document = json.loads(stdout)
    except ValueError as error:
        raise fail("did not print an ExecCredential in JSON") from error
    if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
        raise fail("did not print an ExecCredential")
    if document.get("apiVersion") != plugin.api_version:
        raise fail(
            f"answered with apiVersion {clean_line(str(document.get('apiVersion')), 80)} instead "
            f"of {plugin.api_version}"
        )
    status = document.get("status")
    if not isinstance(status, dict):
        raise fail("printed an ExecCredential without a status")
    token = str(status.get("token") or "")
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    if bool(certificate) != bool(key):
        raise fail("gave a client certificate without its key, or a key without its certificate")
    if not token and not certificate:
        raise fail("gave neither a token nor a client certificate")
    expires: datetime | None = None
    if status.get("expirationTimestamp"):
        try:
            expires = datetime.fromisoformat(str(status["expirationTimestamp"]))
            zoned = expires.tzinfo is not None
            expires = expires.astimezone(UTC) if zoned else expires.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise fail("gave an expirationTimestamp that is not a time") from error
    return PluginCredential(
        token,
        str(certificate).encode() if certificate else None,
        str(key).encode() if key else None,
        expires,
    )
