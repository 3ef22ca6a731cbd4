"""Reads the user of a kubeconfig: tokens, certificates, impersonation, credential plug-in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cluster.connect import certificates
from cluster.connect.access import ExecPlugin, User
from cluster.connect.fields import Entry, _decode, path_of
from cluster.errors import KubeconfigError
from cluster.kube.text import clean_line

_SOON = timedelta(days=3)


_NOT_IN_HEADER_NAME = re.compile(rb"[^!#$&'*+.^_`|~0-9A-Za-z-]")


def read_user(name: str, entry: Entry, cluster_config: Any) -> User:
    value, folder = entry.value, entry.folder
    plugin = value.get("exec")
    token = str(value.get("token") or "")
    provider = value.get("auth-provider")
    if isinstance(provider, dict) and not (token or plugin or value.get("tokenFile")):
        settings = provider.get("config")
        token = str(settings.get("id-token") or "") if isinstance(settings, dict) else ""
        if provider.get("name") != "oidc" or not token:
            raise KubeconfigError(
                f"User {name!r} logs in through auth-provider "
                f"{clean_line(str(provider.get('name')), 40)!r}, which kubectl dropped in 1.26;"
                " use the provider's exec plug-in."
            )
    certificate_data, key_data = value.get("client-certificate-data"), value.get("client-key-data")
    if (certificate_data or value.get("client-certificate")) and not (
        key_data or value.get("client-key")
    ):
        raise KubeconfigError(
            f"User {name!r} has a client certificate without a key; repair the kubeconfig."
        )
    return User(
        name=name,
        certificate_file=None if certificate_data else path_of(value, "client-certificate", folder),
        certificate_pem=_decode(certificate_data, f"client-certificate-data of user {name!r}"),
        key_file=None if key_data else path_of(value, "client-key", folder),
        key_pem=_decode(key_data, f"client-key-data of user {name!r}"),
        token=token,
        token_file=path_of(value, "tokenFile", folder),
        username=str(value.get("username") or ""),
        password=str(value.get("password") or ""),
        exec=_plugin(plugin, name, folder, cluster_config) if isinstance(plugin, dict) else None,
        impersonation=_impersonation(value, name),
    )


def _impersonation(value: Mapping[str, Any], user: str) -> tuple[tuple[str, str], ...]:
    """The Impersonate headers. Raises `KubeconfigError` for groups, a uid or extras without a user
    name, which the server refuses."""
    extras = value.get("as-user-extra")
    more = [("Impersonate-Uid", str(value["as-uid"]))] if value.get("as-uid") else []
    more += [("Impersonate-Group", str(group)) for group in value.get("as-groups") or ()]
    for key, texts in extras.items() if isinstance(extras, dict) else ():
        escaped = _NOT_IN_HEADER_NAME.sub(lambda byte: b"%%%02X" % ord(byte[0]), str(key).encode())
        name = f"Impersonate-Extra-{escaped.decode()}"
        more += [(name, str(text)) for text in (texts if isinstance(texts, list) else [texts])]
    if not value.get("as"):
        if more:
            raise KubeconfigError(
                f"User {user!r} impersonates groups, a uid or extras without a user name (`as`); "
                "repair the kubeconfig."
            )
        return ()
    return (("Impersonate-User", str(value["as"])), *more)


def _plugin(value: dict[str, Any], user: str, folder: Path, cluster_config: Any) -> ExecPlugin:
    command = str(value.get("command") or "")
    if not command:
        raise KubeconfigError(
            f"User {user!r} has an exec plug-in without a command; repair the kubeconfig."
        )
    env = tuple(
        (str(item["name"]), str(item.get("value") or ""))
        for item in value.get("env") or ()
        if isinstance(item, dict) and item.get("name")
    )
    return ExecPlugin(
        command=command,
        args=tuple(str(argument) for argument in value.get("args") or ()),
        env=env,
        api_version=str(value.get("apiVersion") or ""),
        interactive_mode=str(value.get("interactiveMode") or ""),
        provide_cluster_info=bool(value.get("provideClusterInfo")),
        install_hint=clean_line(str(value.get("installHint") or ""), 600),
        folder=folder,
        cluster_config=cluster_config,
    )


def certificate_sentence(user: User, now: datetime) -> str:
    """A sentence when the client certificate has expired or expires within three days, else ""."""
    try:
        pem = user.certificate_pem or (
            user.certificate_file.read_bytes() if user.certificate_file else b""
        )
    except OSError:
        return ""  # reported when the certificate is loaded
    certificate = certificates.from_pem(pem)
    if certificate is None or certificate.not_after - now > _SOON:
        return ""
    verb = "ended" if certificate.expired(now) else "ends"
    return (
        f"The client certificate of user {user.name!r} {verb} on "
        f"{certificate.not_after:%Y-%m-%d %H:%M} UTC; renew it."
    )
