"""`python -m tests.triage.members` prints the first line that triage gives for each member of each
family of everyday faults, and the first runbook; `--table` the families.

`test_members.py` asserts the words that decide and the runbook;
`tests.triage.elsewhere.real_server` plays each member on a real API server.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.triage.members.member import Member, lines
from tests.triage.members.table import MEMBERS


def table() -> Iterator[str]:
    """The families as a Markdown table: members, how many are told in memory, first runbooks."""
    yield "| family | members | told | first runbook |"
    yield "|---|---|---|---|"
    families: dict[str, list[Member]] = {}
    for one in MEMBERS:
        families.setdefault(one.family, []).append(one)
    for family, members in families.items():
        found = [lines(one) for one in members]
        told = sum(_is_told(one, *each) for one, each in zip(members, found, strict=True))
        names = ", ".join(one.name for one in members)
        pages = ", ".join(sorted({guide or "none" for _, guide in found}))
        yield f"| {family} | {names} | {told} of {len(members)} | {pages} |"


def _is_told(one: Member, line: str, guide: str) -> bool:
    return all(word in line for word in one.says) and one.guide in ("", guide)


def _rows() -> Iterator[str]:
    for one in MEMBERS:
        line, guide = lines(one)
        state = "right" if _is_told(one, line, guide) else "half" if line else "silent"
        yield f"{one.family:16} {one.name:32} {state:7} {guide:32} {line}"[:230]


print(*(table() if "--table" in sys.argv else _rows()), sep="\n")
