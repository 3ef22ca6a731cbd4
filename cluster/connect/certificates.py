"""Reads the names in a certificate and when it ends, also of one that is not trusted.

The standard library shows the fields of verified peers only. This reads the DER structure of RFC
5280 down to issuer, validity and subject; nothing here decides about trust.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

import msgspec

from cluster.kube.text import clean_line

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}


class Certificate(msgspec.Struct, frozen=True):
    """The readable part of one certificate; times in UTC."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime

    def expired(self, now: datetime) -> bool:
        return now > self.not_after


def from_pem(pem: bytes) -> Certificate | None:
    """The first certificate of a PEM text, or None when there is none that can be read."""
    found = _PEM.search(pem)
    if found is None:
        return None
    try:
        return from_der(base64.b64decode(found.group(1)))
    except ValueError:
        return None


def from_der(data: bytes) -> Certificate | None:
    """One certificate in DER, or None when it cannot be read."""
    try:
        _, outer, _ = _element(data, 0)
        _, body, _ = _element(outer, 0)
        fields: list[tuple[int, bytes]] = []
        position = 0
        while position < len(body) and len(fields) < 6:
            tag, value, position = _element(body, position)
            if tag != 0xA0:  # [0] version, absent in v1
                fields.append((tag, value))
        (_, _serial), (_, _algorithm), (_, issuer), (_, validity), (_, subject), _ = fields
        start_tag, start, position = _element(validity, 0)
        end_tag, end, _ = _element(validity, position)
        return Certificate(
            _name(subject), _name(issuer), _time(start_tag, start), _time(end_tag, end)
        )
    except (ValueError, IndexError):
        return None


def _element(data: bytes, position: int) -> tuple[int, bytes, int]:
    """(tag, content, position behind it)."""
    tag, length = data[position], data[position + 1]
    position += 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[position : position + count], "big")
        position += count
    if position + length > len(data):
        raise ValueError("truncated")
    return tag, data[position : position + length], position + length


def _name(data: bytes) -> str:
    parts: list[str] = []
    position = 0
    while position < len(data):
        _, group, position = _element(data, position)
        _, pair, _ = _element(group, 0)
        _, oid, after = _element(pair, 0)
        _, value, _ = _element(pair, after)
        label = _NAMES.get(oid)
        if label:
            parts.append(f"{label}={value.decode('utf-8', 'replace')}")
    return clean_line(", ".join(parts), 200)


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == 0x17:  # UTCTime: two digits, 1950 to 2049
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
