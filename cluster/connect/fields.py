"""Reads fields of kubeconfig entries: text, paths, data, and the extension for plug-ins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cluster.errors import KubeconfigError
from cluster.kube.text import clean_line

_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


class Entry(msgspec.Struct, frozen=True):
    """One cluster, user or context, and the folder of its file."""

    value: dict[str, Any]
    folder: Path


def text_of(value: Mapping[str, Any], key: str) -> str:
    return clean_line(str(value.get(key) or ""), 400)


def path_of(value: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    text = str(value.get(key) or "")
    if not text.isprintable():
        raise KubeconfigError(f"{key} is not a path that can be shown; repair the kubeconfig.")
    return folder / text if text else None


def data_of(entry: Entry, key: str) -> bytes | None:
    """`key`-data, decoded, else the content of the file that `key` names."""
    data = _decode(entry.value.get(f"{key}-data"), f"{key}-data")
    path = path_of(entry.value, key, entry.folder)
    if data is not None or path is None:
        return data
    try:
        return path.read_bytes()
    except OSError as error:
        raise KubeconfigError(
            f"{key} file {path} cannot be read: {error.strerror}; check the path in the kubeconfig."
        ) from error


def plugin_extension(cluster: Mapping[str, Any]) -> Any:
    for item in cluster.get("extensions") or ():
        if isinstance(item, dict) and item.get("name") == _EXEC_EXTENSION:
            return item.get("extension")
    return None


def _decode(text: Any, what: str) -> bytes | None:
    if not text:
        return None
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"{what} is not valid base64; repair the kubeconfig.") from error
