"""Reads fields of JSON that comes from kubelets: what is missing or odd is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in a field, empty where there is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def parts(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list in a field."""
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def number(value: Mapping[str, Any], name: str) -> float | None:
    """A number in a field, None where there is none."""
    found = value.get(name)
    return float(found) if isinstance(found, int | float) else None
