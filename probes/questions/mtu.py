"""Large packets that vanish: the MTU of the pods' interfaces, and a large request beside a small
one to each target.

A tunnel takes bytes from every packet. Where a path has a smaller MTU and the ICMP message that
says so is filtered, small requests work and large ones hang; same node well and other node not is
the mark of it. The large request is an HTTP GET with 9 KiB of headers to the target's port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.pods.preparation import check_method
from probes.pods.vantage_pods import Origin, VantagePods
from probes.questions.connectivity import Detail, plan_for
from probes.read_only import map_bounded
from probes.result import (
    Cell,
    Component,
    Conclusion,
    Place,
    ProbePlan,
    ProbeResult,
    Row,
    Try,
    Verdict,
)
from probes.scripts import connectivity as script
from probes.scripts import mtu as mtu_script
from probes.scripts.protocol import read_lines
from probes.select import paths as selection

NAME = "mtu"
QUESTION = "Do large packets pass where small ones do?"
PARAMETERS = {
    "from": "(required) NAMESPACE or NAMESPACE/POD to measure from",
    "to": "(required) NAMESPACE, NAMESPACE/SERVICE or NAMESPACE/POD with HTTP",
    "port": "port of the Service or pod",
    "image": "image for the probe pods",
    "how": "pod, exec or ephemeral",
}
SMALL, LARGE = 100, 9_200
"""Bytes of a request; the large one fills a jumbo frame and is below what servers take as
header."""
TIMEOUT_S = 5


class Line(msgspec.Struct, frozen=True):
    event: str
    tool: str = ""
    mtu: int = 0
    interface: str = ""
    counters: int = 0
    target: str = ""
    size: int = 0
    ms: int = 0
    rc: int = 0
    opens: int = 0
    fails: int = 0
    retrans: int = 0
    segs: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one source saw: the MTU of its interface (0: not read) and its cells."""

    mtu: int
    interface: str
    cells: tuple[Cell, ...]


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    given = {key: value for key, value in arguments.items() if value}
    try:
        check_method(context, given.get("how", ""))
        if not given.get("port", "0").isdigit():
            raise selection.Unusable(f"port {given['port']!r} is not a number.")
        targets = selection.find_targets(
            context.store, given.get("to", ""), int(given.get("port", "0"))
        )
        only_pods = tuple(t for t in targets.targets if t.pod)
        if not only_pods:
            raise selection.Unusable(
                f"{given.get('to', '')} has no pod with an address; the size is measured to pods "
                "themselves."
            )
        targets = selection.Targets(only_pods, targets.service, targets.notes)
        sources = selection.find_sources(
            context.store, given.get("from", ""), targets, control="none"
        )
    except selection.Unusable as error:
        return ProbePlan(NAME, given, QUESTION, refused=str(error))
    return await plan_for(
        context,
        NAME,
        QUESTION,
        given,
        targets,
        sources,
        image=given.get("image", ""),
        how=given.get("how", ""),
    )


async def run(
    plan: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    started = context.clock()
    detail = plan.detail
    assert isinstance(detail, Detail)
    say = progress or (lambda _: None)
    sent = context.sent
    vantage_pods = VantagePods(context, detail.identity, f"probe {NAME}", say)
    problems: list[str] = []
    try:
        origins = await vantage_pods.start(detail.vantages)
        seen = await map_bounded(
            origins, lambda origin: _measure(origin, context, detail, problems, say)
        )
    finally:
        left = await asyncio.shield(vantage_pods.close())
    cells = tuple(cell for one in seen for cell in one.cells)
    rows = []
    for one in seen:
        for place in {cell.source for cell in one.cells} if one.mtu else set():
            ref = Ref("Pod", place.namespace, place.pod)
            rows.append(
                Row(
                    ref,
                    f"{one.interface} on {place.node} has MTU {one.mtu}",
                    None,
                    "",
                    {"mtu": one.mtu},
                )
            )
    told = (*vantage_pods.problems, *problems, *filter(None, left.values()))
    return ProbeResult(
        NAME,
        plan.arguments,
        started,
        context.clock(),
        cells,
        tuple(rows),
        tuple(conclude(seen)),
        created=tuple(vantage_pods.created),
        left_behind=tuple(left),
        complete=bool(cells) and all(c.counted for c in cells),
        problems=tuple(dict.fromkeys(told)),
        method=plan.method,
        requests=len(detail.vantages) + context.sent - sent,
    )


async def _measure(
    origin: Origin, context: ProbeContext, detail: Detail, problems: list[str], say: Progress
) -> Seen:
    source = origin.vantage.source
    place = Place(
        source.namespace,
        origin.node or source.node,
        origin.pod,
        origin.address,
        origin.vantage.method,
    )
    reason, lines = origin.failed, list[Line]()
    arguments = [script.target(t.address, t.port) for t in detail.targets]
    if not reason and context.execute is not None:
        say(f"{origin.name}: {SMALL} and {LARGE} bytes to {len(arguments)} targets")
        command = mtu_script.command(arguments, (SMALL, LARGE), timeout_s=TIMEOUT_S)
        limit = mtu_script.longest_run_s(len(arguments), 2, timeout_s=TIMEOUT_S)
        answer = await context.execute(
            source.namespace, origin.pod, origin.container, command, limit
        )
        lines, reason = read(answer.stdout)
        reason = answer.error or reason
    if reason:
        problems.append(f"{origin.name}: {reason}")
    begin = next((line for line in lines if line.event == "begin"), Line("begin"))
    cells = []
    for target, argument in zip(detail.targets, arguments, strict=True):
        expected, why = detail.expected[origin.index, target]
        tries = (
            tuple(judge(line) for line in lines if line.event == "try" and line.target == argument)
            if not reason
            else ()
        )
        cells.append(Cell(place, target, expected, why, tries, reason=reason))
    return Seen(begin.mtu, begin.interface, tuple(cells))


def read(text: str) -> tuple[list[Line], str]:
    """(lines, why nothing may be concluded, "" when complete)."""
    lines, problem = read_lines(text, Line, "tries")
    if any(line.event == "begin" and (line.tool == "none" or not line.counters) for line in lines):
        return (
            [],
            "the container lacks nc, timeout or dd, or its counters cannot be read; use another "
            "image",
        )
    return lines, problem


def judge(line: Line) -> Try:
    """A stalled body is `TIMEOUT_FIRST_BYTE`; what did not connect is left to the connectivity
    probe."""
    told = f"{line.size} bytes"
    if line.fails:
        return Try(Verdict.REFUSED, line.ms, detail=told)
    if not line.segs:
        return Try(Verdict.TIMEOUT_CONNECT, line.ms, detail=told)
    if line.retrans >= 2 and line.ms >= TIMEOUT_S * 1000:
        return Try(
            Verdict.TIMEOUT_FIRST_BYTE,
            line.ms,
            detail=f"{told}, repeated {line.retrans} times, never acknowledged",
        )
    return Try(Verdict.OK, line.ms, detail=told)


def conclude(seen: Sequence[Seen]) -> list[Conclusion]:
    """Where large packets vanish, and whether the interfaces differ."""
    cells = [cell for one in seen for cell in one.cells if len(cell.counted) >= 2]
    if not cells:
        return [
            Conclusion(
                "Nothing can be said: nothing was measured",
                Component("not-measured", ""),
                0.0,
                "see the problems",
            )
        ]
    stalled = [cell for cell in cells if _stalled(cell)]
    passed = [cell for cell in cells if all(each.verdict is Verdict.OK for each in cell.counted)]
    found: list[Conclusion] = []
    sizes = {c.source.node: one.mtu for one in seen if one.mtu for c in one.cells[:1]}
    differ = (
        f"; pod interfaces differ: {', '.join(f'{n} {m}' for n, m in sorted(sizes.items()))}"
        if len(set(sizes.values())) > 1
        else ""
    )
    if stalled:
        paths = sorted({f"{c.source.node} -> {c.target.node}" for c in stalled})
        crossing = all(c.source.node != c.target.node for c in stalled)
        local = any(c.source.node == c.target.node for c in passed)
        claim = f"Large requests hang where small ones pass: {', '.join(paths[:4])}{differ}"
        evidence = tuple(_line(cell) for cell in [*stalled[:4], *passed[:2]])
        following = (
            "compare the MTU of pod, tunnel and node interfaces on both nodes; see whether ICMP "
            "3/4 is filtered"
        )
        found.append(
            Conclusion(
                claim,
                Component("mtu", ", ".join(paths[:4])),
                0.9 if crossing and local else 0.7,
                following,
                evidence,
            )
        )
    elif differ:
        claim = f"Large requests pass{differ}"
        found.append(
            Conclusion(
                claim,
                Component("mtu", "pod interfaces"),
                0.4,
                "the same setting on every node avoids surprises",
            )
        )
    dead = [cell for cell in cells if cell not in stalled and cell not in passed]
    if dead:
        claim = f"{len(dead)} paths do not even take a small request"
        found.append(
            Conclusion(
                claim,
                Component("connectivity", ""),
                0.5,
                "run the connectivity probe",
                tuple(_line(c) for c in dead[:3]),
            )
        )
    if not found:
        claim = f"Large requests pass on all {len(passed)} paths"
        found.append(Conclusion(claim, Component("none", ""), 0.8))
    return found


def _stalled(cell: Cell) -> bool:
    verdicts = [each.verdict for each in cell.counted]
    return Verdict.OK in verdicts and Verdict.TIMEOUT_FIRST_BYTE in verdicts


def _line(cell: Cell) -> str:
    said = "; ".join(f"{each.detail}: {each.verdict.value}" for each in cell.tries)
    return (
        f"{cell.source.namespace}@{cell.source.node} -> {cell.target.label}@{cell.target.node}: "
        f"{said}"
    )


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run, creates=True)
