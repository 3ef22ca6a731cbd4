"""Network agents and kube-proxy on each node, from the live state: present, ready, restarts, image.

A healthy agent may still not program rules (kube-proxy reported healthy for days while a lock
blocked it), so this shows where to run the connectivity probe and does not replace it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cluster.kube.objects import DaemonSet, Node, Pod, Ref
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.drift import drifts

AGENT = re.compile(
    r"calico-node|canal|cilium(?!-operator)|flannel|kube-router|weave|antrea-agent|aws-node|kindnet"
    r"|azure-cni|kube-proxy|ovnkube-node|multus"
)


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    store = context.store
    wanted = arguments.get("node", "")
    agents = [
        d
        for _, d in sorted(store.rows("DaemonSet").items())
        if isinstance(d, DaemonSet) and AGENT.search(d.metadata.name)
    ]
    nodes = [
        n
        for _, n in sorted(store.rows("Node").items())
        if isinstance(n, Node) and (not wanted or n.metadata.name == wanted)
    ]
    differing = {
        (drift.daemonset.name, name): drift.sentence
        for drift in drifts(store)
        for name in drift.odd
    }
    rows, conclusions, problems = [], [], []
    if not agents:
        problems.append(
            "no DaemonSet with the name of a known network agent: static pods or host services "
            "are not seen"
        )
    for daemon in agents:
        pods = {
            p.spec.node_name: p
            for p in store.owned_by(daemon.metadata.uid).values()
            if isinstance(p, Pod)
        }
        covered = len(pods) >= max(1, daemon.status.desired_number_scheduled)
        for node in nodes:
            name = node.metadata.name
            said = _trouble(pods.get(name), covered, context)
            if (daemon.metadata.name, name) in differing:
                said.append(f"another image: {differing[daemon.metadata.name, name]}")
            rows.append(
                Row(
                    Ref("Node", "", name),
                    f"{daemon.metadata.name}: {', '.join(said) or 'ready'}",
                    not said,
                    "ready, one image",
                )
            )
            if said:
                agent = f"{daemon.metadata.name} on {name}"
                pod = (
                    pods[name].metadata.name
                    if name in pods
                    else f"-l k8s-app={daemon.metadata.name}"
                )
                conclusions.append(
                    Conclusion(
                        f"{agent}: {', '.join(said)}",
                        Component("agent", agent),
                        0.8 if "not ready" in said or "no pod there" in said else 0.6,
                        f"probe connectivity to pods on {name}; logs: kubectl logs -n "
                        f"{daemon.metadata.namespace} "
                        f"{pod} --tail=100",
                    )
                )
    unavailable = [
        n.metadata.name
        for n in nodes
        for c in n.status.conditions
        if c.type == "NetworkUnavailable" and c.status == "True"
    ]
    for name in unavailable:
        claim = f"Node {name} says NetworkUnavailable"
        conclusions.append(
            Conclusion(claim, Component("node-network", name), 0.85, "the log of its network agent")
        )
    return Findings(rows, conclusions, problems)


def _trouble(pod: Pod | None, covered: bool, context: ProbeContext) -> list[str]:
    if pod is None:
        # A DaemonSet with all its desired pods may exclude nodes on purpose.
        return [] if covered else ["no pod there"]
    said = []
    statuses = pod.status.container_statuses
    if not statuses or not all(s.ready for s in statuses):
        waiting = next(
            (
                s.state.waiting.reason
                for s in statuses
                if s.state.waiting is not None and s.state.waiting.reason
            ),
            "",
        )
        said.append("not ready" + (f" ({waiting})" if waiting else ""))
    restarts = sum(s.restart_count for s in statuses)
    recent = [
        s.state.running.started_at
        for s in statuses
        if s.state.running is not None and s.state.running.started_at is not None
    ]
    if restarts and recent and (context.clock() - max(recent)).total_seconds() < 3600:
        said.append(f"{restarts} restarts, the last within the hour")
    return said


PROBE = read_only_probe(
    "cni-health",
    "Do a healthy network agent and kube-proxy run on every node?",
    {"node": "only this node"},
    look,
    kinds=("DaemonSet", "Pod", "Node"),
    method="state of the agents' pods: proves that they run, not that they program the node",
)
