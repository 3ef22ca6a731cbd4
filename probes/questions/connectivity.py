"""Who can connect to whom: a few sources against one pod for each node and the Service itself,
expected beside observed, and a conclusion.

    plan = await connectivity.plan(context, from_="nginx", to="marketplace")
    result = await connectivity.run(plan, context, progress=print)

`plan` creates nothing; it asks the server what would be allowed and how it would answer. `run`
creates the pods of the plan, measures in agreeing rounds, and removes everything again, also when
it is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.kube.objects import Pod, Ref, Service
from probes.context import ProbeContext, Progress
from probes.inference.classification import judge_all, mark_rate_limited, read
from probes.inference.explanation import infer
from probes.inference.icmp_senders import infer_senders
from probes.inference.policy import End, end_of, expect, not_evaluated
from probes.inference.statistics import tries_wanted
from probes.pods.preparation import DEADLINE_S, check_way, prepare
from probes.pods.probe_pod import Identity
from probes.pods.vantage import CLIENT, EPHEMERAL, Station
from probes.pods.vantage_pods import Spot, Stationing
from probes.result import Cell, Expectation, Place, ProbePlan, ProbeResult, Target, Try, Verdict
from probes.scripts import connectivity as script
from probes.select import paths as selection
from probes.select.surroundings import surroundings

NAME = "connectivity"
QUESTION = (
    "Which connections work, which are refused by the target, which are rejected on the way, and "
    "by whom?"
)
WARM_UP_S = 5.0
"""Two rounds at least this far apart must agree before anything counts: a new pod may be unknown to
the policy agents for seconds."""
MOST_ROUNDS = 4
GAP_MS = 1100
OTHER_WAYS = ("proxy", "port-forward")
"""Rungs without any pod of ours, which `probes.questions.api_server_paths` measures."""
TIMEOUT_S = 4
MOST_TRIES = 30
_SAYS_NOTHING = frozenset({Verdict.EXEC_FAILED, Verdict.TOOL_MISSING, Verdict.NOT_MEASURED})


@dataclass(frozen=True, slots=True)
class Detail:
    """The working plan behind a `ProbePlan`."""

    stations: tuple[Station, ...]
    targets: tuple[Target, ...]
    gap_ms: int
    identity: Identity
    expected: Mapping[tuple[int, Target], tuple[Expectation, str]]
    most_tries: int


async def plan(
    context: ProbeContext,
    *,
    from_: str,
    to: str,
    port: int = 0,
    image: str = "",
    control: str = "",
    tries: int = MOST_TRIES,
    how: str = "",
) -> ProbePlan:
    """What would be measured and created. Never raises for a bad request or a sick cluster: the
    plan's `refused` says why it cannot be."""
    given = {
        "from": from_,
        "to": to,
        "port": str(port or ""),
        "image": image,
        "control": control,
        "how": how,
    }
    arguments = {key: value for key, value in given.items() if value}
    try:
        check_way(context, how, OTHER_WAYS)
        targets = selection.find_all_targets(context.store, to, port)
        sources = selection.find_all_sources(context.store, from_, targets, control=control)
    except selection.Unusable as error:
        return ProbePlan(NAME, arguments, QUESTION, refused=str(error))
    return await plan_for(
        context, NAME, QUESTION, arguments, targets, sources, image=image, tries=tries, how=how
    )


async def plan_for(
    context: ProbeContext,
    name: str,
    question: str,
    arguments: Mapping[str, str],
    targets: selection.Targets,
    sources: Sequence[selection.Source],
    *,
    image: str = "",
    tries: int = MOST_TRIES,
    how: str = "",
) -> ProbePlan:
    """The plan for chosen sources and targets, for this probe and those that measure in the same
    way. `how` asks for one rung."""
    prepared = await prepare(context, sources, image=image, how=how)
    order, distance = selection.interleaved(targets.targets)
    gap_ms = max(300, -(-GAP_MS // distance))
    expected = _expectations(context, prepared.stations, order)
    detail = Detail(prepared.stations, order, gap_ms, prepared.identity, expected, max(5, tries))
    warnings = [*targets.notes, *prepared.warnings]
    others = not_evaluated(context.store)
    if others:
        warnings.append(
            f"{', '.join(others)}: installed and not evaluated, so what is expected may be wrong"
        )
    if any("NetworkPolicy" in kind for kind in context.unavailable):
        warnings.append(
            "NetworkPolicies could not be read: nothing is known about what is expected"
        )
    return ProbePlan(
        name,
        arguments,
        question,
        creates=prepared.creates,
        executes=tuple(_exec_words(s) for s in prepared.usable if s.method == CLIENT),
        reads=("the created pods, their events, and the same pods until they are gone",),
        rights=prepared.rights,
        selected_by=prepared.selected_by,
        method=prepared.method,
        warnings=tuple(dict.fromkeys(warnings)),
        refused=prepared.refused,
        seconds=_estimate(detail, bool(prepared.creates)),
        deadline_s=DEADLINE_S,
        detail=detail,
    )


def _expectations(
    context: ProbeContext, stations: Sequence[Station], targets: tuple[Target, ...]
) -> dict[tuple[int, Target], tuple[Expectation, str]]:
    complete = "NetworkPolicy" not in context.unavailable
    found = {}
    for index, station in enumerate(stations):
        for target in targets:
            expected = [
                expect(context.store, station.end, end, number, complete=complete)
                for end, number in _ends(context, target)
            ]
            verdicts = {e.verdict for e in expected}
            if len(verdicts) == 1:
                found[index, target] = (expected[0].verdict, expected[0].why)
            elif expected:
                found[index, target] = (
                    Expectation.UNDEFINED,
                    "the Service's pods are under different policies",
                )
            else:
                found[index, target] = (Expectation.ALLOW, "no pod stands behind it")
    return found


def _ends(context: ProbeContext, target: Target) -> list[tuple[End, int]]:
    """The pods that a target stands for, with the port that reaches them (behind a Service: after
    its targetPort)."""
    if target.pod:
        pod: Pod | None = context.store.get("Pod", target.namespace, target.pod)
        return [(end_of(pod), target.port)] if pod is not None else []
    if target.service:
        service: Service | None = context.store.get("Service", target.namespace, target.service)
        chosen = (
            next((p for p in service.spec.ports if p.port == target.port), None)
            if service is not None
            else None
        )
        if service is None or chosen is None:
            return []
        return [
            (end_of(p), selection.target_port(p, chosen))
            for p, _, _ in selection.endpoints(context.store, service)
            if p is not None
        ]
    return [(End(address=target.address), target.port)]


def _exec_words(station: Station) -> str:
    pod = station.source.client
    name = pod.metadata.name if pod is not None else "?"
    told = f"<measuring script, {len(script.SHELL)} bytes>"
    return (
        f"kubectl exec -n {station.source.namespace} {name} -c {station.container} -- sh -c "
        f"'{told}'"
    )


def _estimate(detail: Detail, creating: bool) -> float:
    """Seconds when answers come (a silent drop costs the time limit for each try)."""
    one = detail.gap_ms / 1000 + 0.3
    return round(
        (6.0 if creating else 0.0)
        + 2 * 1.0
        + WARM_UP_S
        + 5 * len(detail.targets) * one
        + (3.0 if creating else 0.0)
    )


# ---- running


async def run(
    plan: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    """Create, measure, remove. Never raises for the cluster; cancelling it cleans up first
    (bounded) and then raises CancelledError."""
    started = context.clock()
    if plan.refused or not isinstance(plan.detail, Detail):
        why = plan.refused or "the plan was not made by this probe"
        return ProbeResult(
            plan.probe,
            plan.arguments,
            started,
            context.clock(),
            complete=False,
            problems=(why,),
            conclusions=infer(()),
        )
    measurement = _Measurement(context, plan.detail, progress or (lambda _: None))
    sent = context.sent
    left: dict[Ref, str] = {}
    try:
        await measurement.run()
    finally:
        left = await asyncio.shield(measurement.stationing.close())
    cells = measurement.cells()
    around = surroundings(context.store, cells)
    cells = infer_senders(cells, around)
    problems = (
        *measurement.stationing.problems,
        *measurement.problems,
        *filter(None, left.values()),
    )
    return ProbeResult(
        plan.probe,
        plan.arguments,
        started,
        context.clock(),
        cells,
        (),
        infer(cells, around),
        created=tuple(measurement.stationing.created),
        left_behind=tuple(left),
        complete=all(cell.counted for cell in cells) and bool(cells),
        problems=tuple(dict.fromkeys(problems)),
        method=plan.method,
        requests=measurement.execs + context.sent - sent,
    )


class _Measurement:
    def __init__(self, context: ProbeContext, detail: Detail, say: Progress) -> None:
        self.context, self.detail, self.say = context, detail, say
        self.stationing = Stationing(context, detail.identity, f"probe {NAME}", say)
        self.spots: list[Spot] = []
        self.problems: list[str] = []
        self.execs = 0
        self.tries: dict[tuple[int, Target], list[Try]] = {}
        self.by_argument = {script.target(t.address, t.port): t for t in detail.targets}

    async def run(self) -> None:
        self.spots = await self.stationing.start(self.detail.stations)
        ready = [spot for spot in self.spots if not spot.failed]
        await asyncio.gather(*(self._measure(spot) for spot in ready))

    # -- measuring

    async def _measure(self, spot: Spot) -> None:
        """Agreeing rounds for a new pod, then five tries for every target, then more where the
        answers differ."""
        if not spot.warm:
            await self._warm_up(spot)
        while not spot.failed:
            missing = {t: self._missing(spot, t) for t in self.detail.targets}
            wanted = tuple(t for t in self.detail.targets if missing[t] > 0)
            if not wanted:
                return
            self._keep(spot, await self._once(spot, wanted, min(5, max(missing.values()))))

    def _missing(self, spot: Spot, target: Target) -> int:
        tries = self.tries.get((spot.index, target), [])
        counted = [t for t in tries if t.verdict not in _SAYS_NOTHING]
        if tries and not counted:
            return 0
        failed = sum(1 for t in counted if t.verdict is not Verdict.OK)
        # A Service's address fails in the share of its failing pods, which are measured one by one:
        # numbers add nothing there.
        several = not target.pod and len(self.detail.targets) > 1
        return tries_wanted(failed, len(counted), most=5 if several else self.detail.most_tries)

    async def _warm_up(self, spot: Spot) -> None:
        """Rounds of one try until two in a row, `WARM_UP_S` apart, say the same; what was measured
        before them is dropped."""
        before: dict[Target, list[Try]] = {}
        for number in range(MOST_ROUNDS):
            began = self.context.clock()
            results = await self._once(spot, self.detail.targets, 1)
            if spot.failed:
                self._keep(spot, results)
                return
            if before and _verdicts(before) == _verdicts(results):
                self._keep(spot, before)
                self._keep(spot, results)
                return
            before = results
            if number < MOST_ROUNDS - 1:
                elapsed = (self.context.clock() - began).total_seconds()
                await self.context.sleep(max(0.0, WARM_UP_S - elapsed))
        self.problems.append(
            f"{spot.name}: no two of {MOST_ROUNDS} rounds agreed; the answers change from round "
            "to round"
        )
        self._keep(spot, before)

    def _keep(self, spot: Spot, results: Mapping[Target, list[Try]]) -> None:
        for target, tries in results.items():
            self.tries.setdefault((spot.index, target), []).extend(tries)

    async def _once(
        self, spot: Spot, targets: tuple[Target, ...], tries: int
    ) -> dict[Target, list[Try]]:
        """One exec; on failure every target gets one try of class `EXEC_FAILED`, which is never
        counted as a network fault."""
        assert self.context.execute is not None
        arguments = [script.target(t.address, t.port) for t in targets]
        command = script.command(
            arguments,
            tries=tries,
            gap_ms=self.detail.gap_ms,
            timeout_s=TIMEOUT_S,
            python=spot.python,
        )
        limit = script.longest_run_s(
            len(targets), tries=tries, gap_ms=self.detail.gap_ms, timeout_s=TIMEOUT_S
        )
        self.say(f"{spot.name}: {tries} x {len(targets)} connects")
        self.execs += 1
        answer = await self.context.execute(
            spot.station.source.namespace, spot.pod, spot.container, command, limit
        )
        output = read(answer.stdout)
        problem = answer.error or output.error
        if problem:
            said = answer.stderr.strip().splitlines()[-1:] if not answer.error else []
            spot.failed = f"{spot.name}: {problem}{f' ({said[0][:200]})' if said else ''}"
            self.problems.append(spot.failed)
            # What was measured before stays; this round says nothing about the network.
            verdict = Verdict.TOOL_MISSING if output.tool == "none" else Verdict.EXEC_FAILED
            return {t: [Try(verdict, 0, None, detail=problem)] for t in targets}
        spot.python = spot.python or (output.has_python and spot.station.method != CLIENT)
        judged = judge_all(output, TIMEOUT_S)
        found = {
            t: judged.get(argument, []) for t, argument in zip(targets, arguments, strict=True)
        }
        if spot.station.meshed and spot.station.method in (CLIENT, EPHEMERAL):
            found = {t: [_meshed(each) for each in tries_] for t, tries_ in found.items()}
        return found

    # -- result

    def cells(self) -> tuple[Cell, ...]:
        cells = []
        for spot in self.spots:
            source = spot.station.source
            place = Place(
                source.namespace,
                spot.node or source.node,
                spot.pod,
                spot.address,
                spot.station.method,
            )
            for target in self.detail.targets:
                expected, why = self.detail.expected[spot.index, target]
                tries = tuple(mark_rate_limited(self.tries.get((spot.index, target), [])))
                way = f"kubectl exec -n {source.namespace} {spot.pod} -c {spot.container}"
                command = (
                    f"{way} -- nc -w 4 {target.address} {target.port} -e true" if spot.pod else ""
                )
                cells.append(
                    Cell(place, target, expected, why, tries, reason=spot.failed, command=command)
                )
        return tuple(cells)


def _verdicts(results: Mapping[Target, list[Try]]) -> dict[Target, Verdict]:
    """What a round said, for comparison: of a Service's address only when nothing else was dialled,
    it picks another pod each time."""
    alone = not any(target.pod for target in results)
    return {
        target: tries[-1].verdict
        for target, tries in results.items()
        if tries and (target.pod or alone)
    }


def _meshed(each: Try) -> Try:
    """In a mesh the sidecar accepts every connect: that says nothing about the target."""
    if each.verdict is Verdict.OK:
        return replace(
            each, verdict=Verdict.NOT_MEASURED, detail="a sidecar accepts every connect in this pod"
        )
    return each
