"""Kubelets through the API server: do they answer, do they renew their lease, how much memory do they and the runtime hold.

`nodes/proxy` is a strong right and often not given; then only lease and conditions are left, and the rows say so. stats/summary answers
500 on some file systems ("cannot find filesystem info"): a part that fails does not take the others with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any

from cluster.errors import ClusterError
from cluster.objects import Node, Ref
from cluster.quantity import size_text
from probes.context import ProbeContext, Progress
from probes.reading import answer, each, not_asked, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "kubelet"
QUESTION = "Do the kubelets answer, renew their leases, and hold a sane amount of memory?"
PARAMETERS = {"node": "only this node; default: all, at most 30"}
MOST_NODES = 30
LEASE_LATE_S = 40.0
"""The node controller calls a node lost after this long (node-monitor-grace-period was 40 s up to 1.31, 50 s since)."""
MEMORY_LIMIT = 1 << 30
PEER_FACTOR = 4.0


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    name = arguments.get("node", "")
    known = not name or context.store.get("Node", "", name) is not None
    refused = "" if known else f"There is no node {name}; look at `kubectl get nodes`."
    return reading_plan(
        NAME, arguments, QUESTION, refused=refused, seconds=5.0,
        reads=("GET nodes/NODE/proxy/healthz and stats/summary (needs get on nodes/proxy)", "leases and conditions from the live state"),
        method="through the API server's node proxy: proves that way and the kubelet's own account of itself",
    )  # fmt: skip


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    wanted = plan.arguments.get("node", "")
    nodes = [n for _, n in sorted(context.store.rows("Node").items()) if not wanted or n.metadata.name == wanted][:MOST_NODES]
    looked = await each(nodes, lambda node: _look(context, node, progress))
    resident = [memory for _, memory, _, _ in looked if memory]
    usual = median(resident) if len(resident) >= 3 else 0.0
    rows, conclusions, problems = [], [], []
    for node, (said, memory, healthy, problem) in zip(nodes, looked, strict=True):
        name = node.metadata.name
        heavy = memory > MEMORY_LIMIT and (not usual or memory > PEER_FACTOR * usual)
        normal = False if heavy else healthy
        rows.append(Row(Ref("Node", "", name), "; ".join(said), normal, "answers ok, lease renewed", {"kubelet_memory_bytes": int(memory)}))
        if problem:
            problems.append(problem)
        if heavy:
            against = f", its peers {size_text(usual)}" if usual else ""
            conclusions.append(
                Conclusion(
                    f"The kubelet on {name} holds {size_text(memory)}{against}: it may be leaking",
                    Component("kubelet", name), 0.8, "cordon the node and restart its kubelet before the kernel ends something else",
                )
            )  # fmt: skip
        elif healthy is False:
            conclusions.append(
                Conclusion(
                    f"The kubelet on {name} is not well: {'; '.join(said)}", Component("kubelet", name), 0.75,
                    "probe connectivity to pods on that node: if they answer, only the kubelet or its runtime is down",
                )
            )  # fmt: skip
    return answer(plan, context, started, rows, conclusions, kinds=("Node", "Lease"), problems=problems, requests=2 * len(nodes))


async def _look(context: ProbeContext, node: Node, progress: Progress | None) -> tuple[list[str], float, bool | None, str]:
    """(sentences, kubelet's resident bytes or 0, healthy or None, why a part is not known)."""
    name = node.metadata.name
    if progress:
        progress(f"kubelet of {name}")
    said: list[str] = []
    healthy: bool | None = None
    problem = ""
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    if ready is not None:
        said.append(f"Ready {ready.status}" + (f" ({ready.reason})" if ready.status != "True" and ready.reason else ""))
        healthy = ready.status == "True"
    late = _lease_age(context, name)
    if late is not None:
        said.append(f"lease {late:.0f} s old")
        healthy = healthy is not False and late < LEASE_LATE_S
    memory = 0.0
    if context.api is None:
        return said, memory, healthy, "no connection to the API server"
    base = f"/api/v1/nodes/{name}/proxy"
    try:
        text, _ = await context.api.get_text(f"{base}/healthz", timeout=8)
        said.append(f"healthz {text.strip()[:40]!r}")
        healthy = healthy is not False and text.strip() == "ok"
    except ClusterError as error:
        if not_asked(error):
            return said, memory, healthy, f"kubelet of {name} not asked: {error}"
        said.append(f"healthz failed: {error}")
        healthy = False
    try:
        stats = await context.api.get_json(f"{base}/stats/summary", timeout=8)
        memory = _kubelet_memory(stats, said)
    except ClusterError as error:
        # Known to fail on some file systems while the kubelet is well: a gap, not a fault.
        problem = f"stats of {name} not read: {error}"
    return said, memory, healthy, problem


def _kubelet_memory(stats: Any, said: list[str]) -> float:
    found = 0.0
    for part in (stats.get("node") or {}).get("systemContainers") or ():
        used = (part.get("memory") or {}).get("rssBytes") or (part.get("memory") or {}).get("workingSetBytes") or 0
        if part.get("name") in ("kubelet", "runtime") and used:
            said.append(f"{part['name']} {size_text(float(used))}")
            if part["name"] == "kubelet":
                found = float(used)
    return found


def _lease_age(context: ProbeContext, node: str) -> float | None:
    lease = context.store.get("Lease", "kube-node-lease", node)
    renewed: datetime | None = lease.spec.renew_time if lease is not None else None
    return max(0.0, (context.clock() - renewed).total_seconds()) if renewed is not None else None
