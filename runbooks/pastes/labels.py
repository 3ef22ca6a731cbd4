"""The labels of alerts: those of a JSON document, and the pairs of a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ENDED = frozenset({"resolved", "closed"})


def labels_of(
    value: Mapping[str, Any], around: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str], Mapping[str, str]]:
    """A mapping by lower-case keys, its own labels, and the labels of what it stands in with those
    of its `labels`."""
    flat = {str(key).lower(): item for key, item in value.items()}
    labels = {key: str(item) for key, item in flat.items() if isinstance(item, str | int)}
    inner = flat.get("labels") or flat.get("commonlabels")
    if isinstance(inner, dict):
        around = {**around, **{str(key).lower(): str(item) for key, item in inner.items()}}
    return flat, labels, around


def pairs_of(value: Any) -> dict[str, str]:
    """The labels that a list gives as name and value: matchers of a silence, fields of a
    message."""
    found: dict[str, str] = {}
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("value"), str):
            name = item.get("name") or item.get("title") or item.get("key")
            found.setdefault(str(name).lower(), item["value"])
    return found


def state_of(item: Any) -> str:
    """The state of an alert in lower case, "" where it has none."""
    status = item.get("status") if isinstance(item, dict) else None
    state = status.get("state") if isinstance(status, dict) else status
    return state.lower() if isinstance(state, str) else ""


def is_over(item: Any) -> bool:
    """Whether an alert of a list is resolved, or silenced."""
    return state_of(item) in ENDED | {"suppressed", "expired"}


def label_sets(pairs: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """The labels of a text (`pairs`, in its order), one set for each alert: a set ends where a
    label comes again."""
    labels: dict[str, str] = {}
    for key, value in pairs:
        name = key.lower()
        if name in labels and labels[name] != value:
            yield labels
            labels = {}
        labels[name] = value
    if labels:
        yield labels
