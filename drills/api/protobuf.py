"""Bodies in application/vnd.kubernetes.protobuf, for the few small kinds that kubectl sends so
(`kubectl create namespace`,
`kubectl auth can-i`). Field numbers from k8s.io/api */generated.proto."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from drills.api.objects import Obj
from drills.api.problems import unsupported_media

MAGIC = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class Message:
    """Field number -> (name, type): `string`, `bytes`, `int`, `bool`, `map`, `bytesmap`, `strings`,
    or a Message."""

    fields: dict[int, tuple[str, Any]] = field(default_factory=dict)


_META = Message(
    {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        11: ("labels", "map"),
        12: ("annotations", "map"),
    }
)
_RESOURCE = Message(
    {
        1: ("namespace", "string"),
        2: ("verb", "string"),
        3: ("group", "string"),
        4: ("version", "string"),
        5: ("resource", "string"),
        6: ("subresource", "string"),
        7: ("name", "string"),
    }
)
_KINDS: dict[str, Message] = {
    "Namespace": Message({1: ("metadata", _META)}),
    "ServiceAccount": Message({1: ("metadata", _META)}),
    "ConfigMap": Message(
        {
            1: ("metadata", _META),
            2: ("data", "map"),
            3: ("binaryData", "bytesmap"),
            4: ("immutable", "bool"),
        }
    ),
    "Secret": Message(
        {
            1: ("metadata", _META),
            2: ("data", "bytesmap"),
            3: ("type", "string"),
            4: ("stringData", "map"),
        }
    ),
    "SelfSubjectAccessReview": Message(
        {
            1: ("metadata", _META),
            2: (
                "spec",
                Message(
                    {
                        1: ("resourceAttributes", _RESOURCE),
                        2: (
                            "nonResourceAttributes",
                            Message({1: ("path", "string"), 2: ("verb", "string")}),
                        ),
                    }
                ),
            ),
        }
    ),
    "SelfSubjectRulesReview": Message(
        {1: ("metadata", _META), 2: ("spec", Message({1: ("namespace", "string")}))}
    ),
    "SelfSubjectReview": Message({1: ("metadata", _META)}),
    "DeleteOptions": Message(
        {
            1: ("gracePeriodSeconds", "int"),
            2: ("preconditions", Message({1: ("uid", "string"), 2: ("resourceVersion", "string")})),
            4: ("propagationPolicy", "string"),
            5: ("dryRun", "strings"),
        }
    ),
}
_UNKNOWN = Message(
    {
        1: ("typeMeta", Message({1: ("apiVersion", "string"), 2: ("kind", "string")})),
        2: ("raw", "bytes"),
    }
)


def decode(body: bytes) -> Obj:
    """The object in a protobuf body. Raises ApiProblem (415) for a kind that is not in the table or
    a broken body."""
    try:
        envelope = _read(body[len(MAGIC) :], _UNKNOWN)
        named = envelope.get("typeMeta", {})
        message = _KINDS.get(named.get("kind", ""))
        if message is None:
            raise unsupported_media(
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml"
            )
        return {**named, **_read(envelope.get("raw", b""), message)}
    except (IndexError, ValueError) as error:
        raise unsupported_media(f"the body is not valid protobuf: {error}") from error


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


def _read(data: bytes, message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for number, value in _fields(data):
        known = message.fields.get(number)
        if known is None:
            continue
        name, kind = known
        if isinstance(value, int):
            out[name] = bool(value) if kind == "bool" else value
        elif isinstance(kind, Message):
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
