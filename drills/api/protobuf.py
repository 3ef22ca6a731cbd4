"""Bodies in application/vnd.kubernetes.protobuf, for the few kinds that kubectl sends in it
(`kubectl create namespace`, `kubectl auth can-i`). Field numbers from k8s.io/api."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from drills.api.objects import Obj
from drills.api.problems import bad_request, unsupported_media

MAGIC = b"k8s\x00"


WireMessage = dict[int, tuple[str, Any]]
"""Field number -> (name, type): `string`, `bytes`, `int`, `bool`, `map`, `bytesmap`, `strings`, or
a Message."""


def _strings(**fields: int) -> WireMessage:
    return {number: (name, "string") for name, number in fields.items()}


_META: WireMessage = {
    **_strings(name=1, generateName=2, namespace=3),
    11: ("labels", "map"),
    12: ("annotations", "map"),
}
_RESOURCE = _strings(namespace=1, verb=2, group=3, version=4, resource=5, subresource=6, name=7)
_ACCESS: WireMessage = {
    1: ("resourceAttributes", _RESOURCE),
    2: ("nonResourceAttributes", _strings(path=1, verb=2)),
}
_WITH_META: WireMessage = {1: ("metadata", _META)}
_KINDS: dict[str, WireMessage] = {
    "Namespace": _WITH_META,
    "ServiceAccount": _WITH_META,
    "SelfSubjectReview": _WITH_META,
    "ConfigMap": {
        **_WITH_META,
        2: ("data", "map"),
        3: ("binaryData", "bytesmap"),
        4: ("immutable", "bool"),
    },
    "Secret": {
        **_WITH_META,
        2: ("data", "bytesmap"),
        3: ("type", "string"),
        4: ("stringData", "map"),
    },
    "SelfSubjectAccessReview": {**_WITH_META, 2: ("spec", _ACCESS)},
    "SelfSubjectRulesReview": {**_WITH_META, 2: ("spec", _strings(namespace=1))},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"),
        2: ("preconditions", _strings(uid=1, resourceVersion=2)),
        4: ("propagationPolicy", "string"),
        5: ("dryRun", "strings"),
    },
}
_UNKNOWN: WireMessage = {1: ("typeMeta", _strings(apiVersion=1, kind=2)), 2: ("raw", "bytes")}


def decode(body: bytes) -> Obj:
    """The object in a protobuf body. Raises ApiProblem: 415 for a kind that is not in the table,
    400 for a broken body."""
    try:
        envelope = _read(body[len(MAGIC) :], _UNKNOWN)
        named = envelope.get("typeMeta", {})
        message = _KINDS.get(named.get("kind", ""))
        if message is None:
            raise unsupported_media("application/json, application/yaml")
        return {**named, **_read(envelope.get("raw", b""), message)}
    except (IndexError, ValueError) as error:
        raise bad_request(f"the body is not valid protobuf: {error}") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("it ends too early")
            yield number, data[at : at + size]
            at += size
        elif wire in {1, 5}:
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _read(data: bytes, message: WireMessage) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for number, value in _fields(data):
        known = message.get(number)
        if known is None:
            continue
        name, kind = known
        if isinstance(value, int):
            out[name] = bool(value) if kind == "bool" else value
        elif isinstance(kind, dict):
            out[name] = _read(value, kind)
        elif kind == "string":
            if value:
                out[name] = value.decode()
        elif kind == "strings":
            out.setdefault(name, []).append(value.decode())
        elif kind == "bytes":
            out[name] = value
        else:
            pair = dict(_fields(value))
            key, content = pair.get(1, b""), pair.get(2, b"")
            assert isinstance(key, bytes)
            assert isinstance(content, bytes)
            out.setdefault(name, {})[key.decode()] = (
                base64.b64encode(content) if kind == "bytesmap" else content
            ).decode()
    return out
