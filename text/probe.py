"""What a probe would do, and what it found: the matrix of sources and targets, drawn in words."""

from __future__ import annotations

from collections.abc import Sequence

from probes.result import Cell, Expectation, ProbePlan, ProbeResult, Verdict
from text.lines import BLANK, Line, columns, line, paragraphs, wrap

SHORT: dict[Verdict, tuple[str, str]] = {
    Verdict.OK: ("ok", "good"),
    Verdict.REFUSED: ("refused", "critical"),
    Verdict.REJECTED: ("rejected", "critical"),
    Verdict.UNREACHABLE: ("no route", "critical"),
    Verdict.TIMEOUT_CONNECT: ("timed out", "critical"),
    Verdict.TIMEOUT_FIRST_BYTE: ("no answer", "critical"),
    Verdict.RESET: ("reset", "critical"),
    Verdict.DNS_TIMEOUT: ("DNS slow", "critical"),
    Verdict.DNS_NXDOMAIN: ("no name", "critical"),
    Verdict.DNS_SERVFAIL: ("DNS failed", "critical"),
    Verdict.DNS_REFUSED: ("DNS refused", "critical"),
    Verdict.TLS_HANDSHAKE: ("TLS failed", "critical"),
    Verdict.TLS_CERTIFICATE: ("bad cert", "critical"),
}
WHY = {
    Verdict.REFUSED: "refused by the target itself (RST): nothing listens there",
    Verdict.REJECTED: "rejected on the way (ICMP): something between them said no",
    Verdict.TIMEOUT_CONNECT: "no answer at all: dropped on the way, or the target is gone",
    Verdict.NOT_MEASURED: "not measured: says nothing about the network",
}
UNKNOWN = ("not measured", "unknown")


def plan_lines(plan: ProbePlan, width: int) -> list[Line]:
    """Everything that a person should know before agreeing: what, where, with which rights, which
    image, how long, and what ends it."""
    lines = paragraphs(plan.question or plan.probe, width - 2, "strong", 1)
    if plan.refused:
        return [*lines, BLANK, *paragraphs(plan.refused, width - 2, "critical", 1)]
    if plan.method:
        lines += _part("how", [plan.method], "plain", width)
    if plan.creates:
        lines += _part(
            "creates",
            [_created(each) for each in plan.creates[:8]],
            "warning",
            width,
            len(plan.creates) - 8,
        )
    lines += _part("runs", list(plan.executes[:4]), "plain", width, len(plan.executes) - 4)
    lines += _part("reads", list(plan.reads[:4]), "plain", width, len(plan.reads) - 4)
    if not plan.creates and not plan.executes:
        lines += _part("creates", ["nothing; it only reads"], "good", width)
    denied = [right for right in plan.rights if right.allowed is not True]
    for right in denied:
        where = f" in {right.namespace}" if right.namespace else ""
        word = "not allowed" if right.allowed is False else "not known whether allowed"
        lines += _part(
            "rights",
            [f"{word}: {right.verb} {right.resource}{where}. {right.reason}".strip()],
            "critical",
            width,
        )
    if plan.rights and not denied:
        lines += _part("rights", [f"all {len(plan.rights)} that it needs are there"], "good", width)
    lines += _part(
        "selected by", list(plan.selected_by[:4]), "warning", width, len(plan.selected_by) - 4
    )
    lines += _part("warning", list(plan.warnings), "warning", width)
    takes = f"about {plan.seconds:.0f} s" if plan.seconds else "a moment"
    ends = (
        f"; what it creates ends by itself after {plan.deadline_s / 60:.0f} min, also without "
        "this program"
        if plan.deadline_s and plan.creates
        else ""
    )
    return lines + _part("takes", [takes + ends], "plain", width)


def _created(each: object) -> str:
    ref, node, image = (
        getattr(each, "ref", ""),
        getattr(each, "node", ""),
        getattr(each, "image", ""),
    )
    accepted = getattr(each, "accepted", None)
    answer = {
        True: "the server would accept it",
        False: f"the server refuses: {getattr(each, 'dry_run', '')}",
        None: "not tried",
    }[accepted]
    return f"{ref} on {node or 'any node'}, image {image}; {answer}"


def _part(label: str, texts: Sequence[str], style: str, width: int, more: int = 0) -> list[Line]:
    lines: list[Line] = []
    for index, text in enumerate(texts):
        lines += wrap(
            line((f" {label if index == 0 else '':<12}", "muted"), (text, style)), width, 13
        )
    if more > 0:
        lines.append(line((f"{'':<13}and {more} more", "muted")))
    return lines


def result_lines(result: ProbeResult, width: int) -> list[Line]:
    """Conclusions first, then the matrix or rows, then what could not be measured and what was left
    behind."""
    lines: list[Line] = []
    for conclusion in result.conclusions[:4]:
        lines += wrap(
            line(" ", (conclusion.claim, "strong"), (f"  {conclusion.confidence:.2f}", "muted")),
            width,
            3,
        )
        lines += [
            row
            for text in conclusion.evidence[:3]
            for row in wrap(line(("   because ", "muted"), text), width, 11)
        ]
        if conclusion.next:
            lines += wrap(line(("   next    ", "key"), conclusion.next), width, 11)
    if not result.conclusions:
        lines.append(
            line(
                " ",
                (
                    "No conclusion: nothing measured differs from what is expected."
                    if result.complete
                    else "No conclusion.",
                    "unknown",
                ),
            )
        )
    if result.cells:
        lines += [BLANK, *matrix_lines(result.cells, width)]
    for row in result.rows[:40]:
        word, style = {
            True: ("normal", "good"),
            False: ("abnormal", "critical"),
            None: ("not known", "unknown"),
        }[row.normal]
        lines += wrap(
            line(
                " ",
                (f"{word:<10}", style),
                (str(row.subject), "strong"),
                f"  {row.seen}",
                (f"  expected {row.expected}" if row.expected else "", "muted"),
            ),
            width,
            12,
        )
    if result.method:
        lines += wrap(line((" how it was measured  ", "muted"), result.method), width, 3)
    for problem in result.problems:
        lines += wrap(line(" ", ("not measured  ", "unknown"), problem), width, 3)
    if result.left_behind:
        lines += wrap(
            line(" ", ("LEFT BEHIND  ", "critical"), ", ".join(map(str, result.left_behind))),
            width,
            3,
        )
    elif result.created:
        lines.append(line((f" {len(result.created)} created, all removed again", "good")))
    return lines


def matrix_lines(cells: Sequence[Cell], width: int) -> list[Line]:
    """A source a row, a target a column. When the targets do not fit across, one line a cell
    instead."""
    sources = list(dict.fromkeys(_source(cell) for cell in cells))
    targets = list(dict.fromkeys(_target(cell) for cell in cells))
    first = max([len(source) for source in sources] + [4]) + 1
    each = max(13, *(len(target) for target in targets))
    by_place = {(_source(cell), _target(cell)): cell for cell in cells}
    if first + 2 + (each + 1) * len(targets) > width:
        return _list(cells, width)
    lines = [
        columns(
            ("", 0),
            ("from \\ to", first, "muted"),
            *((target, each, "muted") for target in targets),
            gap=1,
        )
    ]
    for source in sources:
        row = [_word(by_place.get((source, target))) for target in targets]
        lines.append(
            columns(
                ("", 0),
                (source, first, "strong"),
                *((text, each, style) for text, style in row),
                gap=1,
            )
        )
    return lines + _legend(cells, width)


def _list(cells: Sequence[Cell], width: int) -> list[Line]:
    lines: list[Line] = []
    for cell in cells[:60]:
        text, style = _word(cell)
        lines += wrap(
            line(" ", (f"{text:<20}", style), f"{_source(cell)} → {_target(cell)}"), width, 22
        )
    if len(cells) > 60:
        lines.append(line((f" and {len(cells) - 60} more", "muted")))
    return lines + _legend(cells, width)


def _legend(cells: Sequence[Cell], width: int) -> list[Line]:
    seen = list(dict.fromkeys(cell.main for cell in cells))
    lines = [
        row
        for verdict in seen
        if verdict in WHY
        for row in wrap(
            line(" ", ((SHORT.get(verdict, UNKNOWN)[0] + ": "), "muted"), (WHY[verdict], "muted")),
            width,
            3,
        )
    ]
    if any(_wrong(cell) for cell in cells):
        lines += wrap(
            line(" ", ("! differs from what the network policies say", "muted")), width, 3
        )
    senders = list(
        dict.fromkeys(
            f"{cell.sender} ({cell.sender_source})" if cell.sender_source else cell.sender
            for cell in cells
            if cell.sender
        )
    )
    if senders:
        lines += wrap(
            line(
                " ",
                ("answered in the target's place: ", "muted"),
                (", ".join(senders[:4]), "strong"),
            ),
            width,
            3,
        )
    return lines


def _source(cell: Cell) -> str:
    return (
        f"{cell.source.namespace}@{cell.source.node}" if cell.source.node else cell.source.namespace
    )


def _target(cell: Cell) -> str:
    target = cell.target
    name = target.service or target.pod or target.address
    return f"{name}@{target.node}" if target.node else name


def _word(cell: Cell | None) -> tuple[str, str]:
    """`rejected 5/5`, `ok 30/30`; `!` where it differs from what the policies say."""
    if cell is None:
        return "-", "muted"
    text, style = SHORT.get(cell.main, UNKNOWN)
    tried = len(cell.counted)
    ok = cell.main is Verdict.OK
    share = f" {tried - cell.failed if ok else cell.failed}/{tried}" if tried else ""
    wrong = _wrong(cell)
    expected = cell.expected is Expectation.DENY and not ok and bool(tried)
    return f"{text}{share}{' !' if wrong else ''}", ("muted" if expected else style)


def _wrong(cell: Cell) -> bool:
    """Whether what was measured differs from what NetworkPolicy as written says."""
    if not cell.counted:
        return False
    ok = cell.main is Verdict.OK
    return cell.expected is (Expectation.DENY if ok else Expectation.ALLOW)
