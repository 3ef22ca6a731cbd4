"""Kubernetes quantities and the text format of metrics pages, as far as probes read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_SUFFIX = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def quantity(text: str) -> float | None:
    """The number behind "250m", "16Gi" or "4"; None when it is no quantity."""
    found = _QUANTITY.match(text.strip())
    if found is None or found.group(2) not in _SUFFIX:
        return None
    try:
        return float(found.group(1)) * _SUFFIX[found.group(2)]
    except ValueError:
        return None


def size(value: float) -> str:
    """Bytes for people: "1.5 GiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str, wanted: frozenset[str]) -> Iterator[Sample]:
    """Samples of the Prometheus text format whose name is in `wanted`; a line that cannot be read is passed over."""
    for line in text.splitlines():
        name, brace, rest = line.partition("{")
        if not brace:
            name, _, rest = line.partition(" ")
        if name not in wanted:
            continue
        labels, _, value = rest.rpartition("}") if brace else ("", "", rest)
        try:
            yield Sample(name, dict(_LABEL.findall(labels)), float(value.split()[0]))
        except (ValueError, IndexError):
            continue
