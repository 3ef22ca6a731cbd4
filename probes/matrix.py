"""The matrix of a connectivity probe as text: one row for each source, one column for each target,
expected beside observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probes.result import Cell, Expectation, Place, Target, Verdict

MARKS: dict[Verdict, str] = {
    Verdict.OK: "ok",
    Verdict.REFUSED: "REFUSED",
    Verdict.REJECTED: "REJECTED",
    Verdict.UNREACHABLE: "NO ROUTE",
    Verdict.TIMEOUT_CONNECT: "TIMEOUT",
    Verdict.RATE_LIMIT_SUSPECT: "timeout?",
    Verdict.RESET: "RESET",
    Verdict.EXEC_FAILED: "not run",
    Verdict.TOOL_MISSING: "no tool",
    Verdict.NOT_MEASURED: "-",
}


def mark(cell: Cell) -> str:
    """One cell in short: class, failures of tries, and "!" where it is not what the policies
    say."""
    if not cell.tries:
        return "-"
    word = MARKS.get(cell.main, cell.main.value)
    if not cell.counted:
        return word
    surprise = (cell.failed * 2 > len(cell.counted)) != (cell.expected is Expectation.DENY)
    unexpected = "!" if cell.expected is not Expectation.UNDEFINED and surprise else ""
    return f"{word} {len(cell.counted) - cell.failed}/{len(cell.counted)}{unexpected}"


def draw(cells: Sequence[Cell]) -> Iterator[str]:
    """Lines of a table, at most as wide as its names need; targets are numbered and listed
    below."""
    sources: list[Place] = list(dict.fromkeys(cell.source for cell in cells))
    targets: list[Target] = list(dict.fromkeys(cell.target for cell in cells))
    by_key = {(cell.source, cell.target): cell for cell in cells}
    heads = [f"[{n}] {_column(target)}" for n, target in enumerate(targets, 1)]
    rows = [
        [_row(s), *(mark(by_key[s, t]) if (s, t) in by_key else "-" for t in targets)]
        for s in sources
    ]
    table = [["from \\ to", *heads], *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(targets) + 1)]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    for n, target in enumerate(targets, 1):
        where = f" on {target.node}" if target.node else ""
        yield f"  [{n}] {target.label}{where}, {target.endpoint}"
    yield "  class good/tries; ! differs from what NetworkPolicy as written says"


def _row(source: Place) -> str:
    return f"{source.namespace} @ {source.node or '?'}" if source.namespace else source.node


def _column(target: Target) -> str:
    if target.pod:
        return target.node or target.pod
    return f"service {target.service}" if target.service else target.address
