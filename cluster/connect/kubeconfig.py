"""Reads kubeconfig files as client-go does.

Of several files, the first that names a cluster, user or context wins; so does the first
`current-context` that is not empty. Paths are relative to their own file. Of a file with several
YAML documents the first counts. Empty files are skipped.

Source: client-go tools/clientcmd (loader.go, client_config.go, validation.go).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import yaml

from cluster.connect import certificates
from cluster.connect.access import Access, ExecPlugin, Trust, User
from cluster.connect.proxy import proxy_from_environment
from cluster.errors import KubeconfigError
from cluster.kube.text import clean_line

DEFAULT_PATH = "~/.kube/config"
IN_CLUSTER_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "in-cluster"
"""Name of the context that stands for the ServiceAccount of the pod."""
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_SOON = timedelta(days=3)
_NOT_IN_HEADER_NAME = re.compile(rb"[^!#$&'*+.^_`|~0-9A-Za-z-]")


class Context(msgspec.Struct, frozen=True):
    """One context of the merged files."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool


class _Entry(msgspec.Struct, frozen=True):
    value: dict[str, Any]
    folder: Path


class _Merged(msgspec.Struct):
    clusters: dict[str, _Entry] = {}
    contexts: dict[str, _Entry] = {}
    users: dict[str, _Entry] = {}
    current: str = ""
    files: list[Path] = []
    """The files that are not empty."""


def find_paths(environ: Mapping[str, str] = os.environ, explicit: str = "") -> tuple[Path, ...]:
    """The files to read, which need not exist: the explicit one, else those of KUBECONFIG, else
    ~/.kube/config."""
    listed = [explicit] if explicit else environ.get("KUBECONFIG", "").split(os.pathsep)
    paths = [path for path in listed if path] or [DEFAULT_PATH]
    return tuple(dict.fromkeys(Path(path).expanduser() for path in paths))


def load_access(
    context: str = "",
    *,
    explicit: str = "",
    environ: Mapping[str, str] = os.environ,
    service_account: Path = IN_CLUSTER_FOLDER,
    now: datetime | None = None,
) -> Access:
    """Read server, trust, user and proxy. Blocking: reads files.

    `context` "" takes the current one. `explicit` is the value of --kubeconfig. Inside a pod,
    without any kubeconfig, its ServiceAccount is used. Raises `KubeconfigError` with one sentence.
    """
    paths = find_paths(environ, explicit)
    existing = [path for path in paths if path.exists()]
    if explicit and not existing:
        raise KubeconfigError(f"Kubeconfig {explicit} does not exist; check --kubeconfig.")
    merged = _merge(existing)
    if merged.files:
        return _resolve(merged, context, environ, now or datetime.now(UTC))
    if environ.get("KUBERNETES_SERVICE_HOST") and context in ("", IN_CLUSTER) and not explicit:
        return _in_cluster(environ, service_account)
    found = f"Kubeconfig {existing[0]} is empty" if existing else "No kubeconfig found"
    names = "" if existing else f" ({', '.join(map(str, paths))})"
    raise KubeconfigError(f"{found}{names}; set KUBECONFIG or --kubeconfig, or try `stanch drill`.")


def list_contexts(
    explicit: str = "", environ: Mapping[str, str] = os.environ
) -> tuple[Context, ...]:
    """All contexts in file order. Blocking. Raises `KubeconfigError`."""
    merged = _merge(path for path in find_paths(environ, explicit) if path.exists())
    return tuple(
        Context(
            clean_line(name, 200),
            _text(entry.value, "cluster"),
            _text(entry.value, "user"),
            _text(entry.value, "namespace"),
            name == merged.current,
        )
        for name, entry in merged.contexts.items()
    )


def _merge(paths: Iterable[Path]) -> _Merged:
    merged = _Merged()
    for path in paths:
        document = _read(path)
        if document is None:
            continue
        merged.files.append(path)
        merged.current = merged.current or str(document.get("current-context") or "")
        for plural in ("clusters", "contexts", "users"):
            entries: dict[str, _Entry] = getattr(merged, plural)
            for node in _named(path, document, plural):
                value = node.get(plural[:-1])
                entry = _Entry(value if isinstance(value, dict) else {}, path.absolute().parent)
                entries.setdefault(str(node["name"]), entry)
    return merged


def _read(path: Path) -> dict[str, Any] | None:
    """The first document of a file, None when it is empty. Raises `KubeconfigError`."""
    try:
        data = path.read_bytes()
        if data.lstrip().startswith(b"{"):
            try:
                document = json.loads(data)  # YAML forbids the tabs that JSON allows
            except ValueError:
                document = _first_document(data)
        else:
            document = _first_document(data)
    except OSError as error:
        raise KubeconfigError(
            f"Kubeconfig {path} cannot be read: {error.strerror}; check its owner and mode."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise KubeconfigError(
            f"Kubeconfig {path} is not valid YAML{where}; repair it or take it out of KUBECONFIG."
        ) from error
    if document is not None and not isinstance(document, dict):
        raise _misshapen(path)
    return document


def _first_document(data: bytes) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return next(yaml.load_all(data, Loader=loader), None)


def _named(path: Path, document: Mapping[str, Any], plural: str) -> list[dict[str, Any]]:
    """The entries of one of the lists. Raises `KubeconfigError`."""
    found = document.get(plural) or []
    if not isinstance(found, list) or not all(
        isinstance(node, dict) and "name" in node for node in found
    ):
        raise _misshapen(path)
    return found


def _misshapen(path: Path) -> KubeconfigError:
    return KubeconfigError(
        f"Kubeconfig {path} does not have the shape of a kubeconfig (clusters, contexts, users); "
        "repair it or take it out of KUBECONFIG."
    )


def _resolve(merged: _Merged, wanted: str, environ: Mapping[str, str], now: datetime) -> Access:
    name = wanted or merged.current
    known = ", ".join(clean_line(each, 80) for each in list(merged.contexts)[:12]) or "none"
    if not name:
        raise KubeconfigError(
            f"The kubeconfig names no current context; choose one with --context (known: {known})."
        )
    shown = clean_line(name, 200)
    if name not in merged.contexts:
        raise KubeconfigError(
            f"Context {shown!r} is not in the kubeconfig; known contexts: {known}."
        )
    context = merged.contexts[name].value
    cluster_name, user_name = _text(context, "cluster"), _text(context, "user")
    cluster = merged.clusters.get(str(context.get("cluster") or ""))
    if cluster is None:
        raise KubeconfigError(
            f"Context {shown!r} names cluster {cluster_name!r}, which the kubeconfig does not "
            "define; repair the kubeconfig."
        )
    server = str(cluster.value.get("server") or "").strip().rstrip("/")
    if "://" not in server and server:
        server = f"http://{server}"
    parts = _split(server)
    if parts is None or parts.scheme not in ("http", "https"):
        raise KubeconfigError(
            f"Cluster {cluster_name!r} has no usable server address "
            f"({clean_line(server, 200)!r}); repair the kubeconfig."
        )
    user_entry = merged.users.get(str(context.get("user") or ""))
    if user_entry is None and user_name:
        raise KubeconfigError(
            f"Context {shown!r} names user {user_name!r}, which the kubeconfig does not define; "
            "repair the kubeconfig."
        )
    ca = _data(cluster, "certificate-authority")
    insecure = _flag(cluster, cluster_name, "insecure-skip-tls-verify")
    trust = Trust(None if insecure else ca, insecure, _text(cluster.value, "tls-server-name"))
    user = _user(user_name, user_entry, _extension(cluster.value)) if user_entry else User()
    if parts.username is not None:
        # Go's client logs in with them; messages name the server without them.
        server = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        login = unquote(parts.username), unquote(parts.password or "")
        user = user if user.username else replace(user, username=login[0], password=login[1])
    warnings = []
    if insecure:
        warnings.append(f"The certificate of {server} is not checked (insecure-skip-tls-verify).")
    ending = certificate_sentence(user, now)
    if ending:
        warnings.append(ending)
    return Access(
        server=server,
        context=shown,
        cluster=cluster_name,
        namespace=_text(context, "namespace"),
        trust=trust,
        user=user,
        proxy=_proxy(cluster, cluster_name, server, environ),
        compress=not _flag(cluster, cluster_name, "disable-compression"),
        sources=tuple(map(str, merged.files)),
        warnings=tuple(warnings),
    )


def _flag(cluster: _Entry, name: str, key: str) -> bool:
    value = cluster.value.get(key) or False
    if not isinstance(value, bool):
        raise KubeconfigError(
            f"{key} of cluster {name!r} is neither true nor false; repair the kubeconfig."
        )
    return value


def _proxy(cluster: _Entry, name: str, server: str, environ: Mapping[str, str]) -> str:
    given = _text(cluster.value, "proxy-url")
    proxy = given or proxy_from_environment(server, environ)
    parts = _split(proxy)
    if proxy and (parts is None or parts.scheme not in ("http", "https", "socks5", "socks5h")):
        raise KubeconfigError(
            f"proxy-url of cluster {name!r} is not an http, https or socks5 address; repair the "
            "kubeconfig."
            if given
            else "The proxy of the environment (HTTPS_PROXY, HTTP_PROXY) is not an http, https or "
            "socks5 address; repair or unset it."
        )
    return proxy


def _split(address: str) -> SplitResult | None:
    """The parts of an address, None when it has no host, no valid port, or characters that cannot
    be shown."""
    try:
        parts = urlsplit(address)
        usable = (parts.hostname or "").encode("idna") and parts.port != 0
    except ValueError:
        return None
    return parts if usable and address.isprintable() and " " not in address else None


def _user(name: str, entry: _Entry, cluster_config: Any) -> User:
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
        certificate_file=None if certificate_data else _path(value, "client-certificate", folder),
        certificate_pem=_decode(certificate_data, f"client-certificate-data of user {name!r}"),
        key_file=None if key_data else _path(value, "client-key", folder),
        key_pem=_decode(key_data, f"client-key-data of user {name!r}"),
        token=token,
        token_file=_path(value, "tokenFile", folder),
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


def _in_cluster(environ: Mapping[str, str], folder: Path) -> Access:
    from kubernetes.config import incluster_config  # slow, and needed only in a pod

    host = environ[incluster_config.SERVICE_HOST_ENV_NAME]
    port = environ.get(incluster_config.SERVICE_PORT_ENV_NAME, "443")
    token, ca, namespace = folder / "token", folder / "ca.crt", folder / "namespace"
    if not token.exists():
        raise KubeconfigError(
            f"No kubeconfig found and no ServiceAccount token in {folder}; set KUBECONFIG or "
            "mount a token."
        )
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        context=IN_CLUSTER,
        cluster=IN_CLUSTER,
        namespace=namespace.read_text().strip() if namespace.exists() else "",
        trust=Trust(ca.read_bytes() if ca.exists() else None),
        user=User(name="serviceaccount", token_file=token),
        sources=(str(folder),),
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


def _text(value: Mapping[str, Any], key: str) -> str:
    return clean_line(str(value.get(key) or ""), 400)


def _path(value: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    text = str(value.get(key) or "")
    if not text.isprintable():
        raise KubeconfigError(f"{key} is not a path that can be shown; repair the kubeconfig.")
    return folder / text if text else None


def _data(entry: _Entry, key: str) -> bytes | None:
    """`key`-data, decoded, else the content of the file that `key` names."""
    data = _decode(entry.value.get(f"{key}-data"), f"{key}-data")
    path = _path(entry.value, key, entry.folder)
    if data is not None or path is None:
        return data
    try:
        return path.read_bytes()
    except OSError as error:
        raise KubeconfigError(
            f"{key} file {path} cannot be read: {error.strerror}; check the path in the kubeconfig."
        ) from error


def _decode(text: Any, what: str) -> bytes | None:
    if not text:
        return None
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"{what} is not valid base64; repair the kubeconfig.") from error


def _extension(cluster: Mapping[str, Any]) -> Any:
    for item in cluster.get("extensions") or ():
        if isinstance(item, dict) and item.get("name") == _EXEC_EXTENSION:
            return item.get("extension")
    return None
