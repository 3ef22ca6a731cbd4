"""The head that an earlier export names: what `verify` compares a record with. Row T17."""

from __future__ import annotations

import json
import re
from typing import Final

_WRITTEN: Final = re.compile(r"Head of the chain: seq (\d+), sha256 ([0-9a-f]{64})")


def find_anchor(text: str) -> tuple[int, str]:
    """seq and hash of the head in a Markdown, HTML, JSON or JSON Lines export. Raises ValueError
    when there is none."""
    for candidate in (text, text.rstrip().rpartition("\n")[2]):
        try:
            record = json.loads(candidate)
            if record.get("type") == "end":
                return int(record["entries"]), str(record["head"])
            return int(record["head"]["seq"]), str(record["head"]["hash"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    found = _WRITTEN.findall(text)
    if found:
        return int(found[-1][0]), found[-1][1]  # the last one: entries further up may quote another
    raise ValueError(
        "this export names no head of a chain; give a Markdown, HTML, JSON or JSON Lines export"
    )
