"""Reads kubeconfig files as client-go does.

Of several files, the first that names a cluster, user or context wins; so does the first
`current-context` that is not empty. Paths are relative to their own file. Of a file with several
YAML documents the first counts. Empty files are skipped.

Source: client-go tools/clientcmd (loader.go, client_config.go, validation.go).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import yaml

from cluster.connect.access import Access, Trust, User
from cluster.connect.fields import Entry, data_of, plugin_extension, text_of
from cluster.connect.proxy import proxy_from_environment
from cluster.connect.users import certificate_sentence, read_user
from cluster.errors import KubeconfigError
from cluster.kube.text import clean_line

DEFAULT_PATH = "~/.kube/config"
IN_CLUSTER_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "in-cluster"
"""Name of the context that stands for the ServiceAccount of the pod."""


class Context(msgspec.Struct, frozen=True):
    """One context of the merged files."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool


class _Merged(msgspec.Struct):
    clusters: dict[str, Entry] = {}
    contexts: dict[str, Entry] = {}
    users: dict[str, Entry] = {}
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
            text_of(entry.value, "cluster"),
            text_of(entry.value, "user"),
            text_of(entry.value, "namespace"),
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
            entries: dict[str, Entry] = getattr(merged, plural)
            for node in _named(path, document, plural):
                value = node.get(plural[:-1])
                entry = Entry(value if isinstance(value, dict) else {}, path.absolute().parent)
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
    cluster_name, user_name = text_of(context, "cluster"), text_of(context, "user")
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
    ca = data_of(cluster, "certificate-authority")
    insecure = _flag(cluster, cluster_name, "insecure-skip-tls-verify")
    trust = Trust(None if insecure else ca, insecure, text_of(cluster.value, "tls-server-name"))
    user = (
        read_user(user_name, user_entry, plugin_extension(cluster.value)) if user_entry else User()
    )
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
        namespace=text_of(context, "namespace"),
        trust=trust,
        user=user,
        proxy=_proxy(cluster, cluster_name, server, environ),
        compress=not _flag(cluster, cluster_name, "disable-compression"),
        sources=tuple(map(str, merged.files)),
        warnings=tuple(warnings),
    )


def _flag(cluster: Entry, name: str, key: str) -> bool:
    value = cluster.value.get(key) or False
    if not isinstance(value, bool):
        raise KubeconfigError(
            f"{key} of cluster {name!r} is neither true nor false; repair the kubeconfig."
        )
    return value


def _proxy(cluster: Entry, name: str, server: str, environ: Mapping[str, str]) -> str:
    given = text_of(cluster.value, "proxy-url")
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
