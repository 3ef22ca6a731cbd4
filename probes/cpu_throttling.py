"""CPU throttling: how much of the time containers are held back by their limit, from two readings of the kubelets' cAdvisor pages."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.errors import ClusterError
from cluster.objects import Node, Ref
from cluster.prometheus import samples
from probes.context import ProbeContext, Progress
from probes.reading import answer, each, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "cpu-throttling"
QUESTION = "Which containers are held back by their CPU limit, and do they use it up?"
PARAMETERS = {"namespace": "only pods of this namespace", "node": "only this node; default: nodes with pods there, at most 6"}
PERIODS, THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
USAGE = "container_cpu_usage_seconds_total"
INTERVAL_S = 15.0
MUCH = 0.25
PAGE = 16 << 20
Key = tuple[str, str, str]
Reading = dict[Key, dict[str, float]]


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    nodes = _nodes(context, arguments)
    refused = "" if nodes else "There is no such node, or no pod of that namespace runs; look at `kubectl get pods -o wide`."
    return reading_plan(
        NAME, arguments, QUESTION, refused=refused, seconds=INTERVAL_S + 4,
        reads=(f"GET nodes/NODE/proxy/metrics/cadvisor twice on {', '.join(nodes)} (needs get on nodes/proxy)",),
        method=f"the kernel's own counters over {INTERVAL_S:g} s: shows now, not what was",
    )  # fmt: skip


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    nodes = _nodes(context, plan.arguments)
    problems: list[str] = []

    async def read(node: str) -> Reading:
        if progress:
            progress(f"counters of {node}")
        if context.api is None:
            return {}
        try:
            text, cut = await context.api.get_text(f"/api/v1/nodes/{node}/proxy/metrics/cadvisor", timeout=15, cap=PAGE)
        except ClusterError as error:
            problems.append(f"counters of {node} not read: {error}")
            return {}
        if cut:
            problems.append(f"counters of {node}: the page is larger than {PAGE:,} bytes, the rest was not read")
        found: Reading = {}
        for sample in samples(text, (PERIODS, THROTTLED, USAGE)):
            key = (sample.labels.get("namespace", ""), sample.labels.get("pod", ""), sample.labels.get("container", ""))
            if all(key):
                found.setdefault(key, {})[sample.name] = sample.value
        return found

    first = await each(nodes, read)
    await context.sleep(INTERVAL_S)
    second = await each(nodes, read)
    rows, conclusions = [], []
    for node, before, after in zip(nodes, first, second, strict=True):
        row: Node | None = context.store.get("Node", "", node)
        kernel = row.status.node_info.kernel_version if row is not None else ""
        for key, now in sorted(after.items()):
            earlier = before.get(key)
            wanted = plan.arguments.get("namespace", key[0]) == key[0]
            if earlier is None or not wanted or PERIODS not in now or PERIODS not in earlier:
                continue
            periods = now[PERIODS] - earlier[PERIODS]
            if periods <= 0:
                continue
            share = (now.get(THROTTLED, 0) - earlier.get(THROTTLED, 0)) / periods
            cores = (now.get(USAGE, 0) - earlier.get(USAGE, 0)) / INTERVAL_S
            ref = Ref("Pod", key[0], key[1])
            seen = f"{key[2]} on {node}: held back in {share:.0%} of {periods:.0f} periods, {cores:.2f} cores used"
            rows.append(Row(ref, seen, share < MUCH, f"below {MUCH:.0%}", {"share": round(share, 3), "cores": round(cores, 3)}))
            if share >= MUCH:
                old = f"; kernel {kernel} there: before 4.19 the kernel held back too early" if kernel and _before(kernel, (4, 19)) else ""
                conclusions.append(
                    Conclusion(
                        f"{key[0]}/{key[1]} {seen}{old}", Component("pod", f"{key[0]}/{key[1]}"), 0.85 if old else 0.75,
                        "compare the cores used with the limit: far below: the kernel, or bursts of many threads; near: raise the limit",
                    )
                )  # fmt: skip
    return answer(plan, context, started, rows, conclusions, problems=problems, requests=2 * len(nodes))


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
