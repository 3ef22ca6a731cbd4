"""Connections between pods: a few sources against one pod on each node and the Service itself,
expected beside observed, with a conclusion.

`plan` creates nothing: it asks the server which rights there are and how it would answer each
creation. `run` creates the pods of the plan, measures until two rounds agree, and removes the pods,
also when it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.kube.objects import Pod, Service
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.inference.classification import judge_all, mark_rate_limited, read
from probes.inference.explanation import infer
from probes.inference.icmp_senders import infer_senders
from probes.inference.policy import End, end_of, expect, not_evaluated
from probes.inference.statistics import tries_wanted
from probes.pods.preparation import DEADLINE_S, check_method, prepare
from probes.pods.probe_pod import Identity
from probes.pods.vantage import CLIENT, EPHEMERAL, Vantage
from probes.pods.vantage_pods import ReadyVantage, VantagePods
from probes.questions import api_server_paths
from probes.result import Cell, Destination, Expectation, ProbePlan, ProbeResult, ResultClass, Try
from probes.scripts import connectivity as script
from probes.select.names import Unusable
from probes.select.service_ports import endpoints, target_port
from probes.select.sources import Source, find_all_sources
from probes.select.surroundings import surroundings
from probes.select.targets import Targets, find_all_targets, interleaved

NAME = "connectivity"
QUESTION = (
    "Which connections work, which are refused by the target, which are rejected on the way, and "
    "by whom?"
)
WARM_UP_S = 5.0
"""Two rounds at least this far apart must agree before anything counts, because policy agents learn
of a new pod only after seconds."""
MOST_ROUNDS = 4
GAP_MS = 1100
TIMEOUT_S = 4
MOST_TRIES = 30
PARAMETERS = {
    "from": "(required) NAMESPACE or NAMESPACE/POD to measure from, several with commas",
    "to": (
        "(required) NAMESPACE, NAMESPACE/SERVICE, NAMESPACE/POD or IP:PORT, several with commas"
    ),
    "port": "port of the Service or pod; default: its first",
    "image": "image for the probe pods; default: one that the nodes have",
    "control": "namespace to compare with, or none",
    "tries": "most tries for a path that answers now and then (30)",
    "how": (
        "pod (default), exec (in the client), ephemeral (added to it, cannot be removed again), "
        "proxy or port-forward (no pod)"
    ),
}
_SAYS_NOTHING = frozenset(
    {ResultClass.EXEC_FAILED, ResultClass.TOOL_MISSING, ResultClass.NOT_MEASURED}
)


@dataclass(frozen=True, slots=True)
class ConnectivityPlan:
    """The working plan behind a `ProbePlan`."""

    vantages: tuple[Vantage, ...]
    targets: tuple[Destination, ...]
    gap_ms: int
    identity: Identity
    expected: Mapping[tuple[int, Destination], tuple[Expectation, str]]
    most_tries: int


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    """What would be measured and created. Raises `Unusable`; does not raise for a failing cluster:
    the plan's `refused` then says why it cannot be measured."""
    given = {key: value for key, value in arguments.items() if value}
    how = given.get("how", "")
    port = _number(given, "port", 0, 65535)
    tries = min(_number(given, "tries", MOST_TRIES, 10**9), 300)
    if how in api_server_paths.HOW:
        return await api_server_paths.plan(context, NAME, QUESTION, given, how)
    if not given.get("from") or not given.get("to"):
        raise Unusable(
            "From where to where? Give from=NAMESPACE[/POD] and to=NAMESPACE[/SERVICE or /POD]."
        )
    check_method(context, how, api_server_paths.HOW)
    targets = find_all_targets(context.store, given["to"], port)
    sources = find_all_sources(
        context.store, given["from"], targets, control=given.get("control", "")
    )
    return await plan_for(context, NAME, QUESTION, given, targets, sources, tries)


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number of `given`. Raises `Unusable`."""
    text = given.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise Unusable(f"{name} {text!r} is not a number that can be used.")
    return int(text)


async def plan_for(
    context: ProbeContext,
    name: str,
    question: str,
    arguments: Mapping[str, str],
    targets: Targets,
    sources: Sequence[Source],
    tries: int = MOST_TRIES,
) -> ProbePlan:
    """The plan for given sources and targets, for this and similar probes. Of `arguments` it reads
    `image` and `how`, the method that is asked for."""
    image, how = arguments.get("image", ""), arguments.get("how", "")
    prepared = await prepare(context, sources, image=image, how=how)
    order, distance = interleaved(targets.targets)
    gap_ms = max(300, -(-GAP_MS // distance))
    expected = _expectations(context, prepared.vantages, order)
    detail = ConnectivityPlan(
        prepared.vantages, order, gap_ms, prepared.identity, expected, max(5, tries)
    )
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
    context: ProbeContext, vantages: Sequence[Vantage], targets: tuple[Destination, ...]
) -> dict[tuple[int, Destination], tuple[Expectation, str]]:
    complete = "NetworkPolicy" not in context.unavailable
    found = {}
    for index, vantage in enumerate(vantages):
        for target in targets:
            expected = [
                expect(context.store, vantage.end, end, number, complete=complete)
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


def _ends(context: ProbeContext, target: Destination) -> list[tuple[End, int]]:
    """The pods behind a target, each with the port that reaches it (of a Service: its
    targetPort)."""
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
            (end_of(p), target_port(p, chosen))
            for p, _, _ in endpoints(context.store, service)
            if p is not None
        ]
    return [(End(address=target.address), target.port)]


def _exec_words(vantage: Vantage) -> str:
    pod = vantage.source.client
    name = pod.metadata.name if pod is not None else "?"
    argument = f"<measuring script, {len(script.SHELL)} bytes>"
    return (
        f"kubectl exec -n {vantage.source.namespace} {name} -c {vantage.container} -- sh -c "
        f"'{argument}'"
    )


def _estimate(detail: ConnectivityPlan, creating: bool) -> float:
    """Seconds if all tries are answered; a dropped one takes its whole time limit."""
    one = detail.gap_ms / 1000 + 0.3
    return round(
        (6.0 if creating else 0.0)
        + 2 * 1.0
        + WARM_UP_S
        + 5 * len(detail.targets) * one
        + (3.0 if creating else 0.0)
    )


# ---- running


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress) -> ProbeResult:
    """Creates, measures, removes. Does not raise for a failing cluster. When cancelled it cleans up
    first, within a time limit, and then raises CancelledError."""
    if isinstance(plan.detail, api_server_paths.ApiServerPlan):
        return await api_server_paths.run(plan, context, progress)
    assert isinstance(plan.detail, ConnectivityPlan)
    measurement = _Measurement(context, plan.detail, progress)
    await measurement.run()
    cells = measurement.cells()
    around = surroundings(context.store, cells)
    cells = infer_senders(cells, around)
    return measurement.pods.result(plan, cells, infer(cells, around))


class _Measurement:
    def __init__(self, context: ProbeContext, detail: ConnectivityPlan, progress: Progress) -> None:
        self.context, self.detail = context, detail
        self.pods = VantagePods(context, detail.identity, f"probe {NAME}", progress)
        self.tries: dict[tuple[int, Destination], list[Try]] = {}

    async def run(self) -> None:
        await self.pods.measure(self.detail.vantages, self._measure)

    # -- measuring

    async def _measure(self, origin: ReadyVantage) -> None:
        """Warms up a new pod, tries every target five times, then again where answers differ."""
        if not origin.warm and not origin.failed:
            await self._warm_up(origin)
        while not origin.failed:
            missing = {t: self._missing(origin, t) for t in self.detail.targets}
            wanted = tuple(t for t in self.detail.targets if missing[t] > 0)
            if not wanted:
                return
            self._keep(origin, await self._once(origin, wanted, min(5, max(missing.values()))))

    def _missing(self, origin: ReadyVantage, target: Destination) -> int:
        tries = self.tries.get((origin.index, target), [])
        counted = [t for t in tries if t.verdict not in _SAYS_NOTHING]
        if tries and not counted:
            return 0
        failed = sum(1 for t in counted if t.verdict is not ResultClass.OK)
        # A Service's address fails in proportion to its failing pods, which are measured one by
        # one: more tries would show nothing new.
        several = not target.pod and len(self.detail.targets) > 1
        return tries_wanted(failed, len(counted), most=5 if several else self.detail.most_tries)

    async def _warm_up(self, origin: ReadyVantage) -> None:
        """Rounds of one try until two in a row, `WARM_UP_S` apart, agree; earlier rounds are
        dropped."""
        before: dict[Destination, list[Try]] = {}
        for number in range(MOST_ROUNDS):
            began = self.context.clock()
            results = await self._once(origin, self.detail.targets, 1)
            if origin.failed:
                self._keep(origin, results)
                return
            if before and _verdicts(before) == _verdicts(results):
                self._keep(origin, before)
                self._keep(origin, results)
                return
            before = results
            if number < MOST_ROUNDS - 1:
                elapsed = (self.context.clock() - began).total_seconds()
                await self.context.sleep(max(0.0, WARM_UP_S - elapsed))
        self.pods.problems.append(
            f"{origin.name}: no two of {MOST_ROUNDS} rounds agreed; the answers change"
        )
        self._keep(origin, before)

    def _keep(self, origin: ReadyVantage, results: Mapping[Destination, list[Try]]) -> None:
        for target, tries in results.items():
            self.tries.setdefault((origin.index, target), []).extend(tries)

    async def _once(
        self, origin: ReadyVantage, targets: tuple[Destination, ...], tries: int
    ) -> dict[Destination, list[Try]]:
        """One exec. If it fails, every target gets one try of class `EXEC_FAILED`, which does not
        count as a network fault."""
        arguments = [script.target(t.address, t.port) for t in targets]
        command = script.command(
            arguments,
            tries=tries,
            gap_ms=self.detail.gap_ms,
            timeout_s=TIMEOUT_S,
            python=origin.python,
        )
        limit = script.longest_run_s(
            len(targets), tries=tries, gap_ms=self.detail.gap_ms, timeout_s=TIMEOUT_S
        )
        attempts = f"{tries} connection attempt{'s' if tries > 1 else ''} to each of"
        self.pods.say(f"from {origin.name}: {attempts} {len(targets)} targets")
        answer = await self.pods.execute(origin, command, limit)
        output = read(answer.stdout)
        problem = answer.error or output.error
        if problem:
            said = answer.stderr.strip().splitlines()[-1:] if not answer.error else []
            origin.failed = f"{origin.name}: {problem}{f' ({said[0][:200]})' if said else ''}"
            self.pods.problems.append(origin.failed)
            # Earlier rounds stay; this one says nothing about the network.
            verdict = ResultClass.TOOL_MISSING if output.tool == "none" else ResultClass.EXEC_FAILED
            return {t: [Try(verdict, 0, None, detail=problem)] for t in targets}
        origin.python = origin.python or (output.has_python and origin.vantage.method != CLIENT)
        judged = judge_all(output, TIMEOUT_S)
        found = {
            t: judged.get(argument, []) for t, argument in zip(targets, arguments, strict=True)
        }
        if origin.vantage.meshed and origin.vantage.method in (CLIENT, EPHEMERAL):
            found = {t: [_meshed(each) for each in tries_] for t, tries_ in found.items()}
        return found

    # -- result

    def cells(self) -> tuple[Cell, ...]:
        cells = []
        for origin in self.pods.origins:
            source = origin.vantage.source
            for target in self.detail.targets:
                expected, why = self.detail.expected[origin.index, target]
                tries = tuple(mark_rate_limited(self.tries.get((origin.index, target), [])))
                way = f"kubectl exec -n {source.namespace} {origin.pod} -c {origin.container}"
                command = (
                    f"{way} -- nc -w 4 {target.address} {target.port} -e true" if origin.pod else ""
                )
                cells.append(
                    Cell(
                        origin.place,
                        target,
                        expected,
                        why,
                        tries,
                        reason=origin.failed,
                        command=command,
                    )
                )
        return tuple(cells)


def _verdicts(results: Mapping[Destination, list[Try]]) -> dict[Destination, ResultClass]:
    """Verdicts of a round, for comparison. A Service's address counts only when no pod was dialled,
    because it picks another pod each time."""
    alone = not any(target.pod for target in results)
    return {
        target: tries[-1].verdict
        for target, tries in results.items()
        if tries and (target.pod or alone)
    }


def _meshed(each: Try) -> Try:
    """In a mesh the sidecar accepts every connect, which says nothing about the target."""
    if each.verdict is ResultClass.OK:
        return replace(
            each,
            verdict=ResultClass.NOT_MEASURED,
            detail="a sidecar accepts every connect in this pod",
        )
    return each


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run, creates=True)
