"""Lost large packets: the MTU of pod interfaces, and a large request beside a small one.

A tunnel takes bytes from every packet. Where a path has a smaller MTU and the ICMP message about it
is filtered, small requests pass and large ones hang, typically between nodes and not within one.
The large request is an HTTP GET with 9 KiB of headers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.pods.preparation import check_method
from probes.pods.vantage_pods import ReadyVantage, VantagePods
from probes.questions.connectivity import ConnectivityPlan, plan_for
from probes.result import (
    Cell,
    Component,
    Conclusion,
    ProbePlan,
    ProbeResult,
    ResultClass,
    Row,
    Try,
    not_measured,
)
from probes.scripts import connectivity as script
from probes.scripts import mtu as mtu_script
from probes.scripts.protocol import read_lines
from probes.select.names import Unusable
from probes.select.sources import find_sources
from probes.select.targets import Targets, find_targets

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


class MtuLine(msgspec.Struct, frozen=True):
    """One line of the script; the fields are those of `assets/probe-protocol.json`."""

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
    """Result of one source: MTU of its interface (0: not read) and its cells."""

    mtu: int
    interface: str
    cells: tuple[Cell, ...]


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    given = {key: value for key, value in arguments.items() if value}
    check_method(context, given.get("how", ""))
    if not given.get("port", "0").isdecimal():
        raise Unusable(f"port {given['port']!r} is not a number.")
    targets = find_targets(context.store, given.get("to", ""), int(given.get("port", "0")))
    only_pods = tuple(t for t in targets.targets if t.pod)
    if not only_pods:
        raise Unusable(
            f"{given.get('to', '')} has no pod with an address; the size is measured to pods "
            "themselves."
        )
    targets = Targets(only_pods, targets.service, targets.notes)
    sources = find_sources(context.store, given.get("from", ""), targets, control="none")
    return await plan_for(context, NAME, QUESTION, given, targets, sources)


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress) -> ProbeResult:
    detail = plan.detail
    assert isinstance(detail, ConnectivityPlan)
    pods = VantagePods(context, detail.identity, f"probe {NAME}", progress)
    seen = await pods.measure(detail.vantages, lambda origin: _measure(origin, pods, detail))
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
    return pods.result(plan, cells, conclude(seen), rows)


async def _measure(origin: ReadyVantage, pods: VantagePods, detail: ConnectivityPlan) -> Seen:
    reason, lines = origin.failed, list[MtuLine]()
    arguments = [script.target(t.address, t.port) for t in detail.targets]
    if not reason:
        pods.say(f"{origin.name}: {SMALL} and {LARGE} bytes to {len(arguments)} targets")
        command = mtu_script.command(arguments, (SMALL, LARGE), timeout_s=TIMEOUT_S)
        limit = mtu_script.longest_run_s(len(arguments), 2, timeout_s=TIMEOUT_S)
        answer = await pods.execute(origin, command, limit)
        lines, reason = read(answer.stdout)
        reason = answer.error or reason
    if reason:
        pods.problems.append(f"{origin.name}: {reason}")
    begin = next((line for line in lines if line.event == "begin"), MtuLine("begin"))
    cells = []
    for target, argument in zip(detail.targets, arguments, strict=True):
        expected, why = detail.expected[origin.index, target]
        tries = (
            tuple(judge(line) for line in lines if line.event == "try" and line.target == argument)
            if not reason
            else ()
        )
        cells.append(Cell(origin.place, target, expected, why, tries, reason=reason))
    return Seen(begin.mtu, begin.interface, tuple(cells))


def read(text: str) -> tuple[list[MtuLine], str]:
    """(lines, reason why they prove nothing, "" when complete)."""
    lines, problem = read_lines(text, MtuLine, "tries")
    if any(line.event == "begin" and (line.tool == "none" or not line.counters) for line in lines):
        return (
            [],
            "the container lacks nc, timeout or dd, or its counters cannot be read; use another "
            "image",
        )
    return lines, problem


def judge(line: MtuLine) -> Try:
    """The class of one try: `TIMEOUT_FIRST_BYTE` for a stalled request."""
    detail = f"{line.size} bytes"
    if line.fails:
        return Try(ResultClass.REFUSED, line.ms, detail=detail)
    if not line.segs:
        return Try(ResultClass.TIMEOUT_CONNECT, line.ms, detail=detail)
    if line.retrans >= 2 and line.ms >= TIMEOUT_S * 1000:
        return Try(
            ResultClass.TIMEOUT_FIRST_BYTE,
            line.ms,
            detail=f"{detail}, repeated {line.retrans} times, never acknowledged",
        )
    return Try(ResultClass.OK, line.ms, detail=detail)


def conclude(seen: Sequence[Seen]) -> list[Conclusion]:
    """Where large packets are lost, and whether the interfaces differ."""
    cells = [cell for one in seen for cell in one.cells if len(cell.counted) >= 2]
    if not cells:
        return [not_measured("nothing was measured")]
    stalled = [cell for cell in cells if _stalled(cell)]
    passed = [
        cell for cell in cells if all(each.verdict is ResultClass.OK for each in cell.counted)
    ]
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
    return ResultClass.OK in verdicts and ResultClass.TIMEOUT_FIRST_BYTE in verdicts


def _line(cell: Cell) -> str:
    said = "; ".join(f"{each.detail}: {each.verdict.value}" for each in cell.tries)
    return (
        f"{cell.source.namespace}@{cell.source.node} -> {cell.target.label}@{cell.target.node}: "
        f"{said}"
    )


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run, creates=True)
