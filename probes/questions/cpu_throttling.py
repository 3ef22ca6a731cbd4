"""CPU throttling: the share of periods in which a limit holds a container back, from two readings
of cAdvisor.

cAdvisor samples a container every ten to thirty seconds, with a time. When both readings show the
same sample, nothing was measured, so the node is read a third time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.errors import ClusterError
from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.prometheus import samples
from cluster.kube.quantity import parse
from cluster.live.store import Store
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, check_place, map_bounded, read_only_probe
from probes.result import Component, Conclusion, ProbePlan, Row
from probes.select.names import Unusable

NAME = "cpu-throttling"
QUESTION = "Which containers are held back by their CPU limit, and do they use it up?"
PARAMETERS = {
    "namespace": "only pods of this namespace",
    "node": "only this node; default: nodes with pods there, at most 6",
    "seconds": "between two readings (15)",
}
PERIODS, THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
USAGE = "container_cpu_usage_seconds_total"
INTERVAL_S = 15
MUCH = 0.25
USED_UP = 0.8
"""A container that uses more than this share of its limit needs a higher one."""
PAGE = 16 << 20


@dataclass(frozen=True, slots=True)
class ContainerKey:
    """A container."""

    namespace: str
    pod: str
    container: str


@dataclass(slots=True)
class Counters:
    """Counters of one container; `at`: time of the sample, seconds since the epoch, 0 when not
    known."""

    periods: float | None = None
    throttled: float = 0.0
    usage: float = 0.0
    at: float = 0.0


CounterReading = dict[ContainerKey, Counters]


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    nodes = _nodes(context, arguments)
    interval = arguments.get("seconds", str(INTERVAL_S))
    if not interval.isdecimal() or not 2 <= int(interval) <= 120:
        raise Unusable(f"seconds {interval!r} is not a number from 2 to 120.")
    check_place(context, arguments)
    if not nodes:
        raise Unusable("No pod runs there; look at `kubectl get pods -A -o wide`.")
    return ProbePlan(
        NAME,
        dict(arguments),
        QUESTION,
        seconds=int(interval) + 4.0,
        reads=(
            f"GET nodes/NODE/proxy/metrics/cadvisor two or three times on {', '.join(nodes)} "
            "(needs get on nodes/proxy)",
        ),
        method=f"the kernel's own counters over {interval} s and more: shows now, not what was",
    )


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    nodes = _nodes(context, arguments)
    interval = float(arguments.get("seconds", INTERVAL_S))
    problems: list[str] = []
    requests = 0

    async def read(node: str) -> CounterReading:
        nonlocal requests
        progress(f"counters of {node}")
        requests += 1
        found, problem = await _read(context, node)
        if problem:
            problems.append(problem)
        return found

    before = dict(zip(nodes, await map_bounded(nodes, read), strict=True))
    await context.sleep(interval)
    after = dict(zip(nodes, await map_bounded(nodes, read), strict=True))
    unmoved = [
        node
        for node in nodes
        if any(_unmoved(before[node].get(key), now) for key, now in after[node].items())
    ]
    if unmoved:
        await context.sleep(interval)
        after |= dict(zip(unmoved, await map_bounded(unmoved, read), strict=True))
    rows, conclusions = [], []
    for node in nodes:
        row: Node | None = context.store.get("Node", "", node)
        kernel = row.status.node_info.kernel_version if row is not None else ""
        for key, now in sorted(
            after[node].items(),
            key=lambda pair: (pair[0].namespace, pair[0].pod, pair[0].container),
        ):
            earlier = before[node].get(key)
            if earlier is None or arguments.get("namespace", key.namespace) != key.namespace:
                continue
            ref = Ref("Pod", key.namespace, key.pod)
            if _unmoved(earlier, now):
                rows.append(
                    Row(
                        ref,
                        f"{key.container} on {node}: its counters were not renewed meanwhile; "
                        "give more seconds",
                        None,
                    )
                )
                continue
            if now.periods is None or earlier.periods is None or now.periods <= earlier.periods:
                continue
            periods = now.periods - earlier.periods
            share = (now.throttled - earlier.throttled) / periods
            cores = (now.usage - earlier.usage) / ((now.at - earlier.at) or interval)
            limit = _limit(context.store, key)
            used = f"{cores:.2f} cores used" + (f" of {limit:g}" if limit else "")
            seen = (
                f"{key.container} on {node}: held back in {share:.0%} of {periods:.0f} periods, "
                f"{used}"
            )
            rows.append(
                Row(
                    ref,
                    seen,
                    share < MUCH,
                    f"below {MUCH:.0%}",
                    {"share": round(share, 3), "cores": round(cores, 3)},
                )
            )
            if share >= MUCH:
                old = (
                    f"; kernel {kernel} there: before 4.19 the kernel held back too early"
                    if kernel and _before(kernel, (4, 19))
                    else ""
                )
                claim = f"{key.namespace}/{key.pod} {seen}{old}"
                confidence = 0.85 if old else 0.75
                conclusions.append(
                    Conclusion(
                        claim,
                        Component("pod", f"{key.namespace}/{key.pod}"),
                        confidence,
                        _following(cores, limit),
                    )
                )
    return Findings(rows, conclusions, problems, requests)


async def _read(context: ProbeContext, node: str) -> tuple[CounterReading, str]:
    """(counters of the containers on a node, why they are not all known)."""
    if context.api is None:
        return {}, "there is no connection to the API server"
    try:
        text, cut = await context.api.get_text(
            f"/api/v1/nodes/{node}/proxy/metrics/cadvisor", timeout=15, cap=PAGE
        )
    except ClusterError as error:
        return {}, f"counters of {node} not read: {error}"
    found: CounterReading = {}
    for sample in samples(text, (PERIODS, THROTTLED, USAGE)):
        key = ContainerKey(
            *(sample.labels.get(name, "") for name in ("namespace", "pod", "container"))
        )
        if not (key.namespace and key.pod and key.container):
            continue
        counters = found.setdefault(key, Counters())
        match sample.name:
            case "container_cpu_cfs_periods_total":
                counters.periods, counters.at = sample.value, sample.at
            case "container_cpu_cfs_throttled_periods_total":
                counters.throttled = sample.value
            case _:
                counters.usage += sample.value
    return (
        found,
        f"counters of {node}: the page is larger than {PAGE:,} bytes, the rest was not read"
        if cut
        else "",
    )


def _unmoved(before: Counters | None, after: Counters) -> bool:
    """Whether both readings show the same sample of a container with a limit."""
    return (
        before is not None and after.periods is not None and after.at > 0 and before.at == after.at
    )


def _limit(store: Store, key: ContainerKey) -> float:
    """The container's CPU limit in cores, 0 when it is not known."""
    pod: Pod | None = store.get("Pod", key.namespace, key.pod)
    spec = (
        next((c for c in pod.spec.containers if c.name == key.container), None)
        if pod is not None
        else None
    )
    return parse(spec.resources.limits.get("cpu", "")) or 0.0 if spec is not None else 0.0


def _following(cores: float, limit: float) -> str:
    if not limit:
        return (
            "compare the cores used with the limit: far below: the kernel, or bursts of many "
            "threads; near: raise the limit"
        )
    if cores >= USED_UP * limit:
        return "it uses its limit up: raise the limit, or find out what it computes"
    return (
        "far below its limit and held back all the same: bursts of many threads, or the kernel; "
        "compare with a peer on another node"
    )


def _nodes(context: ProbeContext, given: Mapping[str, str]) -> list[str]:
    if given.get("node"):
        return [given["node"]] if context.store.get("Node", "", given["node"]) is not None else []
    if given.get("namespace"):
        pods = context.store.in_namespace("Pod", given["namespace"]).values()
        return sorted({p.spec.node_name for p in pods if p.spec.node_name})[:6]
    return sorted(name for _, name in context.store.rows("Node"))[:6]


def _before(kernel: str, limit: tuple[int, int]) -> bool:
    parts = kernel.split(".")
    try:
        return (int(parts[0]), int(parts[1])) < limit
    except (ValueError, IndexError):
        return False


PROBE = read_only_probe(
    NAME,
    QUESTION,
    PARAMETERS,
    look,
    plan=plan,
)
