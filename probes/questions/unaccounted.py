"""CPU and memory of a node that no pod uses: a miner, a runaway daemon, a process outside of
Kubernetes.

The kubelet's summary gives the use of the node and of each pod; the rest, without kubelet and
runtime, runs on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.errors import ClusterError
from cluster.kube.objects import Ref
from cluster.kube.quantity import parse, size_text
from probes.context import ProbeContext, Progress
from probes.questions.kubelet import SHORT
from probes.read_only import Findings, map_bounded, read_only_probe
from probes.result import Component, Conclusion, Row

MOST_NODES = 20
CPU_LIMIT = 1.0
"""More cores than this, beyond pods, kubelet and runtime, are more than the host's daemons need."""
MEMORY_SHARE = 0.25


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    wanted = arguments.get("node", "")
    names = [
        name for _, name in sorted(context.store.rows("Node")) if not wanted or name == wanted
    ][:MOST_NODES]

    async def stats_of(name: str) -> Any:
        progress(f"stats of {name}")
        if context.api is None:
            return "there is no connection to the API server"
        try:
            return await context.api.get_json(
                f"/api/v1/nodes/{name}/proxy/stats/summary", SHORT, timeout=8
            )
        except ClusterError as error:
            return str(error)

    rows, conclusions, problems = [], [], []
    strange: dict[str, str] = {}
    for name, stats in zip(names, await map_bounded(names, stats_of), strict=True):
        ref = Ref("Node", "", name)
        if isinstance(stats, str):
            problems.append(f"stats of {name} not read: {stats}")
            rows.append(Row(ref, "not measured", None))
            continue
        cpu, memory = difference(stats)
        node = context.store.get("Node", "", name)
        total = parse(node.status.capacity.get("memory", "")) if node is not None else None
        much_memory = total is not None and memory is not None and memory > total * MEMORY_SHARE
        normal = None if cpu is None else not (cpu > CPU_LIMIT or much_memory)
        rest = f"{cpu:.2f} cores" if cpu is not None else "CPU not reported"
        rest += f", {size_text(memory)}" if memory is not None else ", memory not reported"
        facts: dict[str, str | int | float | bool] = {
            "cores": round(cpu or 0.0, 3),
            "bytes": int(memory or 0),
        }
        rows.append(
            Row(
                ref,
                f"{rest} beside pods, kubelet and runtime",
                normal,
                f"at most {CPU_LIMIT:g} core",
                facts,
            )
        )
        if normal is False:
            strange[name] = rest
    if strange:
        shown = "; ".join(f"{rest} on {name}" for name, rest in list(strange.items())[:4])
        more = f" and {len(strange) - 4} more nodes" if len(strange) > 4 else ""
        names_shown = ", ".join(list(strange)[:6])
        following = (
            "on such a node: ps -eo pid,ppid,user,%cpu,%mem,args --sort=-%cpu | head; look for "
            "what is not in a pod's cgroup"
        )
        claim = f"{shown}{more} belong to no pod: something runs on the host itself"
        conclusions.append(Conclusion(claim, Component("node", names_shown), 0.75, following))
    return Findings(rows, conclusions, problems, len(names))


def difference(stats: Any) -> tuple[float | None, float | None]:
    """(cores, bytes) of a summary that neither pods nor kubelet nor runtime use; None when not
    known."""
    node, pods = stats.get("node") or {}, stats.get("pods") or ()
    parts = [
        c for c in node.get("systemContainers") or () if c.get("name") in ("kubelet", "runtime")
    ]

    def left(what: str, field: str) -> float | None:
        total = (node.get(what) or {}).get(field)
        if total is None or not pods:
            return None
        used = sum(float((each.get(what) or {}).get(field) or 0) for each in [*pods, *parts])
        return max(0.0, float(total) - used)

    cpu = left("cpu", "usageNanoCores")
    return (cpu / 1e9 if cpu is not None else None), left("memory", "workingSetBytes")


PROBE = read_only_probe(
    "unaccounted",
    "Does the CPU and memory in use on a node add up to what its pods use?",
    {"node": "only this node; default: all, at most 20"},
    look,
    reads=("GET nodes/NODE/proxy/stats/summary (needs get on nodes/proxy)",),
    method="the kubelet's own accounting, of one moment: shows that something runs outside of "
    "pods, not what",
    seconds=4.0,
)
