"""Named selections of the log that a person saved, in one file of the state folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cluster.kube.text import clean_line
from timeline.selection import VIEWS

FILE = "views.json"
NAME = 40
"""Most characters of a name."""


def views(state: Path) -> Mapping[str, str]:
    """Selections by name: the built-in ones, then the saved ones. An unreadable file counts as
    empty."""
    try:
        saved = msgspec.json.decode((state / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        saved = {}
    clean = {clean_line(name, NAME): clean_line(text, 500) for name, text in saved.items()}
    return {**VIEWS, **{name: text for name, text in clean.items() if name not in VIEWS}}


def save_view(state: Path, name: str, text: str) -> None:
    """Save a selection, or remove it without `text`. Raises ValueError for a name in use,
    OSError."""
    from timeline.export import write_atomic

    name = clean_line(name, NAME).strip()
    if not name or name in VIEWS:
        raise ValueError(f"{name!r} cannot be the name of a view; choose another")
    kept = {known: words for known, words in views(state).items() if known not in VIEWS}
    kept.pop(name, None)
    if text:
        kept[name] = text
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(state / FILE, msgspec.json.encode(kept).decode())
