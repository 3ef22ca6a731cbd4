"""Kubelets through the API server: whether they answer and renew their lease, and the memory of
kubelet and runtime.

The right `nodes/proxy` is often missing; then only lease and conditions remain, and the rows say
so. Asks stats/summary for CPU and memory only, because file systems cost the node more and answer
500 when one is unknown. A kubelet without its own cgroup is missing there; its process metrics are
used instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from cluster.errors import ClusterError
from cluster.kube.conditions import condition_of
from cluster.kube.objects import Node, Ref
from cluster.kube.prometheus import samples
from cluster.kube.quantity import size_text
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, map_bounded, not_asked, read_only_probe
from probes.result import Component, Conclusion, Row

MOST_NODES = 30
LEASE_LATE_S = 40.0
"""Seconds after which the node controller marks a node as lost (node-monitor-grace-period: 40 s up
to
1.31, then 50 s)."""
MEMORY_LIMIT = 1 << 30
PEER_FACTOR = 4.0
SHORT = {"only_cpu_and_memory": "true"}
"""Leaves file systems out of stats/summary."""
RESIDENT = "process_resident_memory_bytes"


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    wanted = arguments.get("node", "")
    nodes = [
        n
        for _, n in sorted(context.store.rows("Node").items())
        if not wanted or n.metadata.name == wanted
    ][:MOST_NODES]
    looked = await map_bounded(nodes, lambda node: _ask(context, node, progress))
    resident = [each.memory for each in looked if each.memory]
    usual = median(resident) if len(resident) >= 3 else 0.0
    rows, conclusions, problems = [], [], []
    for node, seen in zip(nodes, looked, strict=True):
        name, memory = node.metadata.name, seen.memory
        heavy = memory > MEMORY_LIMIT and (not usual or memory > PEER_FACTOR * usual)
        normal = False if heavy else seen.healthy
        words = "; ".join(seen.said)
        rows.append(
            Row(
                Ref("Node", "", name),
                words,
                normal,
                "answers ok, lease renewed",
                {"kubelet_memory_bytes": int(memory)},
            )
        )
        if seen.problem:
            problems.append(seen.problem)
        if heavy:
            against = f", its peers {size_text(usual)}" if usual else ""
            conclusions.append(
                Conclusion(
                    f"The kubelet on {name} holds {size_text(memory)}{against}: it may be leaking",
                    Component("kubelet", name),
                    0.8,
                    "cordon the node and restart its kubelet before the kernel kills a process",
                )
            )
        elif seen.healthy is False:
            conclusions.append(
                Conclusion(
                    f"The kubelet on {name} is not healthy: {words}",
                    Component("kubelet", name),
                    0.75,
                    "probe connectivity to pods on that node: if they answer, only the kubelet or "
                    "its runtime is down",
                )
            )
    return Findings(rows, conclusions, problems, sum(each.requests for each in looked))


@dataclass(slots=True)
class KubeletAnswers:
    """Result of one kubelet: sentences, resident bytes (0: not known), health, and why a part is
    not known."""

    said: list[str] = field(default_factory=list)
    memory: float = 0.0
    healthy: bool | None = None
    problem: str = ""
    requests: int = 0


async def _ask(context: ProbeContext, node: Node, progress: Progress) -> KubeletAnswers:
    name = node.metadata.name
    progress(f"kubelet of {name}")
    answers = KubeletAnswers()
    ready = condition_of(node.status.conditions, "Ready")
    if ready is not None:
        answers.said.append(
            f"Ready {ready.status}"
            + (f" ({ready.reason})" if ready.status != "True" and ready.reason else "")
        )
        answers.healthy = ready.status == "True"
    late = _lease_age(context, name)
    if late is not None:
        answers.said.append(f"lease {late:.0f} s old")
        answers.healthy = answers.healthy is not False and late < LEASE_LATE_S
    if context.api is None:
        answers.problem = "no connection to the API server"
        return answers
    base = f"/api/v1/nodes/{name}/proxy"
    try:
        answers.requests += 1
        text, _ = await context.api.get_text(f"{base}/healthz", timeout=8)
        answers.said.append(f"healthz {text.strip()[:40]!r}")
        answers.healthy = answers.healthy is not False and text.strip() == "ok"
    except ClusterError as error:
        if not_asked(error):
            answers.problem = f"kubelet of {name} not asked: {error}"
            return answers
        answers.said.append(f"healthz failed: {error}")
        answers.healthy = False
    try:
        answers.requests += 1
        answers.memory = _accounted(
            await context.api.get_json(f"{base}/stats/summary", SHORT, timeout=8), answers.said
        )
        if not answers.memory:
            answers.requests += 1
            text, _ = await context.api.get_text(f"{base}/metrics", timeout=8, cap=8 << 20)
            answers.memory = next((sample.value for sample in samples(text, (RESIDENT,))), 0.0)
            answers.said.append(
                f"kubelet {size_text(answers.memory)}"
                if answers.memory
                else "kubelet's memory not reported"
            )
    except ClusterError as error:
        # Fails on some file systems while the kubelet is healthy: a gap, not a fault.
        answers.problem = f"stats of {name} not read: {error}"
    return answers


def _accounted(stats: Any, said: list[str]) -> float:
    """Bytes of the kubelet by the node's accounting, 0 when it has none."""
    found = 0.0
    for part in (stats.get("node") or {}).get("systemContainers") or ():
        used = (
            (part.get("memory") or {}).get("rssBytes")
            or (part.get("memory") or {}).get("workingSetBytes")
            or 0
        )
        if part.get("name") in ("kubelet", "runtime") and used:
            said.append(f"{part['name']} {size_text(float(used))}")
            if part["name"] == "kubelet":
                found = float(used)
    return found


def _lease_age(context: ProbeContext, node: str) -> float | None:
    lease = context.store.get("Lease", "kube-node-lease", node)
    renewed: datetime | None = lease.spec.renew_time if lease is not None else None
    return max(0.0, (context.clock() - renewed).total_seconds()) if renewed is not None else None


PROBE = read_only_probe(
    "kubelet",
    "Do the kubelets answer, renew their leases, and use a normal amount of memory?",
    {"node": "only this node; default: all, at most 30"},
    look,
    kinds=("Node", "Lease"),
    reads=(
        "GET nodes/NODE/proxy/healthz, stats/summary and metrics (needs get on nodes/proxy)",
        "leases and conditions from the live state",
    ),
    method="through the API server's node proxy: proves that path and the kubelet's own account of "
    "itself",
    seconds=5.0,
)
