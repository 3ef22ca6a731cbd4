"""The matrix of a connectivity probe: one row a source, one column a target, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from probes.result import Cell, Destination, Expectation, Place, ResultClass
from text.lines import Line, columns, line
from text.width import cells as width_of

WORDS: dict[ResultClass, str] = {
    ResultClass.OK: "ok",
    ResultClass.REFUSED: "refused",
    ResultClass.REJECTED: "rejected",
    ResultClass.UNREACHABLE: "no route",
    ResultClass.TIMEOUT_CONNECT: "timed out",
    ResultClass.TIMEOUT_FIRST_BYTE: "no answer",
    ResultClass.RESET: "reset",
    ResultClass.DNS_TIMEOUT: "DNS slow",
    ResultClass.DNS_NXDOMAIN: "no name",
    ResultClass.DNS_SERVFAIL: "DNS failed",
    ResultClass.DNS_REFUSED: "DNS refused",
    ResultClass.TLS_HANDSHAKE: "TLS failed",
    ResultClass.TLS_CERTIFICATE: "bad cert",
    ResultClass.TOOL_MISSING: "no tool",
    ResultClass.EXEC_FAILED: "not run",
    ResultClass.RATE_LIMIT_SUSPECT: "unclear",
    ResultClass.NOT_MEASURED: "not measured",
}
MEANING = {
    ResultClass.REFUSED: "by the target itself; a policy agent can answer so too",
    ResultClass.REJECTED: "on the path (ICMP): something between them refused it",
    ResultClass.TIMEOUT_CONNECT: "no answer at all: dropped on the path, or the target is gone",
    ResultClass.RATE_LIMIT_SUSPECT: "a rate limit may have swallowed the refusal",
    ResultClass.NOT_MEASURED: "says nothing about the network",
}
DIFFERS = "differs from what the network policies say, or from one try to the next"
LISTED = 60
"""Most cells in a list."""


def matrix_lines(cells: Sequence[Cell], width: int) -> list[Line]:
    """A table with numbered targets, or one line a cell when it does not fit."""
    sources = list(dict.fromkeys(cell.source for cell in cells))
    targets = list(dict.fromkeys(cell.target for cell in cells))
    heads = [f"{number} {_short(target)}" for number, target in enumerate(targets, 1)]
    by_place = {(cell.source, cell.target): cell for cell in cells}
    table = [[cell_text(by_place.get((s, t))) for t in targets] for s in sources]
    first = max(9, *(width_of(_source(source)) for source in sources))
    sizes = [
        max(width_of(head), *(width_of(row[index][0]) for row in table))
        for index, head in enumerate(heads)
    ]
    if first + sum(sizes) + len(sizes) + 1 > width:
        return [*_list(cells), *_legend(cells)]
    titles = ((head, size, "muted") for head, size in zip(heads, sizes, strict=True))
    lines = [columns(("from \\ to", first, "muted"), *titles)]
    for source, row in zip(sources, table, strict=True):
        shown = ((text, size, style) for (text, style), size in zip(row, sizes, strict=True))
        lines.append(columns((_source(source), first, "strong"), *shown))
    for number, target in enumerate(targets, 1):
        where = f" on {target.node}" if target.node else ""
        text = f" {number} {target.label}{where}, {target.endpoint}"
        lines.append(line((text, "muted"), hang=3))
    return [*lines, *_legend(cells)]


def cell_text(cell: Cell | None) -> tuple[str, str]:
    """`refused 5 of 5 !`, `ok 30 of 30`, and the style. With mixed results the failures are
    counted: `refused 2 of 5 !`."""
    if cell is None:
        return "-", "muted"
    tried, failed = len(cell.counted), cell.failed
    if not tried:
        return WORDS[cell.main], "unknown"
    mark = " !" if differs(cell) else ""
    text = f"{_word(cell)} {failed or tried} of {tried}{mark}"
    if not mark:
        return text, "muted" if failed and cell.expected is Expectation.DENY else _look(failed)
    return text, "critical"


def _look(failed: int) -> str:
    return "critical" if failed else "good"


def differs(cell: Cell) -> bool:
    """Whether the result differs from what the NetworkPolicies say, or between tries."""
    if not cell.counted:
        return False
    wrong = Expectation.ALLOW if cell.failed else Expectation.DENY
    return cell.mixed or cell.expected is wrong


def _failures(cell: Cell) -> Counter[ResultClass]:
    return Counter(each.verdict for each in cell.counted if each.verdict is not ResultClass.OK)


def _word(cell: Cell) -> str:
    kinds = _failures(cell)
    if not kinds:
        return WORDS[ResultClass.OK]
    return WORDS[next(iter(kinds))] if len(kinds) == 1 else "failed"


def _list(cells: Sequence[Cell]) -> list[Line]:
    lines = []
    for cell in cells[:LISTED]:
        text, style = cell_text(cell)
        path = f"{_source(cell.source)} → {cell.target.label}"
        where = f" on {cell.target.node}" if cell.target.node else ""
        lines.append(line(" ", (f"{text:<20}", style), path + where, hang=22))
    if len(cells) > LISTED:
        lines.append(line((f" and {len(cells) - LISTED} more", "muted")))
    return lines


def _legend(cells: Sequence[Cell]) -> list[Line]:
    """The meaning of the words, the mixed results, and what answered in a target's place."""
    seen: Counter[ResultClass] = Counter()
    for cell in cells:
        seen.update(_failures(cell) if cell.counted else [cell.main])
    lines = [
        line((f" {WORDS[verdict]}: {MEANING[verdict]}", "muted"), hang=3)
        for verdict in seen
        if verdict in MEANING
    ]
    if any(map(differs, cells)):
        lines.append(line((f" ! {DIFFERS}", "muted"), hang=3))
    for cell in cells:
        kinds = _failures(cell)
        if len(kinds) > 1:
            parts = ", ".join(f"{number} {WORDS[kind]}" for kind, number in kinds.most_common())
            path = f" {_source(cell.source)} → {cell.target.label}: {parts}"
            lines.append(line((path, "muted"), hang=3))
    reasons = dict.fromkeys(cell.reason for cell in cells if cell.reason)
    lines += [line((f" not measured: {reason}", "muted"), hang=3) for reason in reasons]
    senders = dict.fromkeys(_sender(cell) for cell in cells if cell.sender)
    if senders:
        names = (", ".join(list(senders)[:4]), "strong")
        lines.append(line((" answered in the target's place: ", "muted"), names, hang=3))
    return lines


def _sender(cell: Cell) -> str:
    how = {"kernel": " (by its ICMP error)", "inferred": " (inferred from the pattern)"}
    return cell.sender + how.get(cell.sender_source, "")


def _source(source: Place) -> str:
    return f"{source.namespace}@{source.node}" if source.node else source.namespace


def _short(target: Destination) -> str:
    """The part of a target's name that differs from the others, for the head of its column."""
    return target.node or target.service or target.pod or target.address
