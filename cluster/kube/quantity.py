"""Kubernetes resource quantities ("100m", "1Gi", "1e3") as numbers, and bytes as people read
them."""

from __future__ import annotations

import re

_UNITS = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?"
)


def parse(text: str) -> float | None:
    """The number that a quantity stands for (bytes, cores or a count), None when it is not one."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        return None
    return float(found[1] + (found[2] or "")) * _UNITS[found[3] or ""]


def size_text(value: float) -> str:
    """Bytes for people: "512 B", "1.5 GiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
