"""Last words of real programs with the class and the address that a reader would give; a third is
held out: no pattern is written for it. `python -m tests.triage.logs.corpus` prints the score."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from triage.logs.classify import verdict

_HEAD = re.compile(r"## (?P<class>\S+)(?: (?P<address>[^\s(]+))? \((?P<program>.*)\)$")


class Case(msgspec.Struct, frozen=True):
    class_: str
    address: str
    program: str
    lines: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """By a digest of the text, so that the choice is no person's."""
        text = self.program + "".join(self.lines)
        return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 3 == 0


def cases() -> list[Case]:
    found: list[tuple[re.Match[str], list[str]]] = []
    text = (Path(__file__).parent / "corpus.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if head := _HEAD.match(line):
            found.append((head, []))
        elif found:
            found[-1][1].append(line)
    return [
        Case(
            h["class"], h["address"] or "", h["program"], tuple("\n".join(ls).rstrip().split("\n"))
        )
        for h, ls in found
    ]


def told(case: Case) -> tuple[str, str]:
    """The class and the address that a case yields; "none" and "" for none."""
    found = verdict(case.lines)
    if found is None:
        return "none", ""
    return found.class_, str(found.address or "")


def wrong(chosen: list[Case]) -> Iterator[str]:
    """Cases whose class is told wrongly, as one line each."""
    for case in chosen:
        class_, _ = told(case)
        if class_ != case.class_:
            yield f"{case.program}: {class_}, not {case.class_}: {case.lines[-1][:100]}"


def main() -> None:
    for name, held in (("tuned on", False), ("held out", True)):
        chosen = [case for case in cases() if case.held_out is held]
        named = [case for case in chosen if case.address]
        right = sum(told(case)[1] == case.address for case in named)
        bad = list(wrong(chosen))
        silent = sum(told(case)[0] == "none" for case in chosen if case.class_ != "none")
        print(
            f"{name}: class {len(chosen) - len(bad)} of {len(chosen)} "
            f"({silent} of the wrong ones silent), address {right} of {len(named)}"
        )


if __name__ == "__main__":
    main()
