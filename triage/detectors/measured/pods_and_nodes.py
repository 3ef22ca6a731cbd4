"""Findings from measurements of pods and nodes, each only where its source was read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from cluster.kube import quantity
from cluster.kube.objects import Pod, Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import ContainerUsage, NodeUsage, Sample, median

GIB = 2**30


def _pod(usage: ContainerUsage, view: ClusterView) -> Pod | None:
    row = view.store.get(*usage.pod)
    return row if isinstance(row, Pod) else None


def _limits(usage: ContainerUsage, pod: Pod) -> dict[str, str]:
    return next((c.resources.limits for c in pod.spec.containers if c.name == usage.container), {})


@cluster_detector
def throttling(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Over 25 % of periods throttled (mixin CPUThrottlingHigh): far below the limit it is the
    kernel, at the limit it is honest."""
    sample = view.sources.containers
    if sample is None:
        return
    below: dict[Ref, list[tuple[ContainerUsage, float, float, Pod]]] = {}
    for usage in sample.values:
        pod = _pod(usage, view)
        if pod is None or not usage.periods or usage.throttled_periods is None:
            continue
        ratio = usage.throttled_periods / usage.periods
        limit = quantity.parse(_limits(usage, pod).get("cpu", ""))
        if ratio <= 0.25 or not limit or usage.cpu_cores is None:
            continue
        share = usage.cpu_cores / limit
        if share < 0.6:
            below.setdefault(view.owner(pod), []).append((usage, ratio, share, pod))
        else:
            yield make(
                "cpu-throttled-at-limit",
                usage.pod,
                f"container {usage.container} is throttled in {ratio:.0%} of periods, and uses "
                f"{share:.0%} of its limit",
                Severity.INFO,
                "a limit that does what it says is a note",
                since=sample.at,
                detail=usage.container,
                evidence=[sample.evidence(f"{ratio:.0%} throttled")],
                facts={"ratio": round(ratio, 3), "usage_of_limit": round(share, 3)},
            )
    for owner, group in sorted(below.items()):
        worst = max(group, key=lambda item: item[1])
        node = view.node(worst[3].spec.node_name)
        kernel = node.status.node_info.kernel_version if node else ""
        yield make(
            "cpu-throttled-below-limit",
            owner,
            f"{len(group)} containers throttled, up to {worst[1]:.0%} of periods at "
            f"{worst[2]:.0%} of their limit (kernel {kernel or '?'})",
            Severity.WARNING,
            "over 25 % throttled below 60 % of the limit",
            since=sample.at,
            related=[u.pod for u, _, _, _ in group[:10]],
            evidence=[
                sample.evidence(f"{u.pod}: {r:.0%} throttled at {s:.0%} of the limit")
                for u, r, s, _ in group[:4]
            ],
            facts={
                "ratio": round(worst[1], 3),
                "usage_of_limit": round(worst[2], 3),
                "kernel": kernel,
                "containers": len(group),
            },
        )


@cluster_detector
def memory(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Close to the limit, and owners whose pods grow on every node (story 000)."""
    sample = view.sources.containers
    if sample is None:
        return
    growth: dict[Ref, list[tuple[float, str]]] = {}
    peers: Counter[Ref] = Counter()
    for usage in sample.values:
        pod = _pod(usage, view)
        if pod is None or usage.memory_bytes is None:
            continue
        owner = view.owner(pod)
        limit = quantity.parse(_limits(usage, pod).get("memory", ""))
        if limit and usage.memory_bytes > 0.9 * limit:
            yield make(
                "memory-near-limit",
                usage.pod,
                f"container {usage.container} uses {usage.memory_bytes / limit:.0%} of its memory "
                "limit",
                Severity.INFO,
                "over 90 % of a limit is a note",
                since=sample.at,
                detail=usage.container,
                evidence=[
                    sample.evidence(
                        f"{quantity.size_text(usage.memory_bytes)} of {quantity.size_text(limit)}"
                    )
                ],
                facts={"share": round(usage.memory_bytes / limit, 3), "role": view.role(pod)},
            )
        if usage.memory_bytes_before and sample.seconds:
            peers[owner] += 1
            rate = (usage.memory_bytes - usage.memory_bytes_before) * 60 / sample.seconds
            if rate > 10 * 2**20 and usage.memory_bytes > 1.02 * usage.memory_bytes_before:
                growth.setdefault(owner, []).append((rate, pod.spec.node_name))
    for owner, group in sorted(growth.items()):
        nodes = {n for _, n in group}
        if len(group) >= 2 and len(nodes) >= 2 and len(group) * 4 >= 3 * peers[owner]:
            rate = int(median(r for r, _ in group))
            yield make(
                "memory-growing",
                owner,
                f"its {len(group)} pods on {len(nodes)} nodes grow by {quantity.size_text(rate)} "
                "a minute each",
                Severity.WARNING,
                "three quarters of an owner's pods grow by over 10 MiB a minute",
                since=sample.at,
                evidence=[sample.evidence(f"{quantity.size_text(rate)} a minute")],
                facts={
                    "owner": str(owner),
                    "bytes_per_minute": rate,
                    "pods": len(group),
                    "nodes": len(nodes),
                },
            )


@cluster_detector
def nodes(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Kubelet memory against its peers, and CPU or memory of a node that nothing on it explains."""
    sample = view.sources.nodes
    if sample is None:
        return
    kubelets = [u.kubelet_memory_bytes for u in sample.values if u.kubelet_memory_bytes]
    high = [
        u
        for u in sample.values
        if u.kubelet_memory_bytes and _kubelet_high(u.kubelet_memory_bytes, kubelets)
    ]
    unaccounted = [u for u in sample.values if _cpu_left(u, view)[1] > 0.3]
    for usage in sample.values:
        node = view.node(usage.node)
        if node is None:
            continue
        ref, facts = Ref("Node", "", usage.node), view.node_facts(node)
        cores = quantity.parse(node.status.allocatable.get("cpu", "")) or 0
        room = quantity.parse(node.status.allocatable.get("memory", "")) or 0
        if usage in high and usage.kubelet_memory_bytes:
            peers = int(median(kubelets))
            yield make(
                "kubelet-memory-high",
                ref,
                f"the kubelet uses {quantity.size_text(usage.kubelet_memory_bytes)}, the median "
                f"is {quantity.size_text(peers)}",
                Severity.WARNING,
                "over 1 GiB, or over four times the median and 400 MiB",
                since=sample.at,
                evidence=[sample.evidence(quantity.size_text(usage.kubelet_memory_bytes))],
                facts={
                    **facts,
                    "bytes": usage.kubelet_memory_bytes,
                    "peers": peers,
                    "kubelet": node.status.node_info.kubelet_version,
                    "victims": len(high),
                },
            )
        left, share = _cpu_left(usage, view)
        if share > 0.3:
            yield make(
                "node-cpu-unaccounted",
                ref,
                f"{left:.1f} cores are used by no pod, kubelet or runtime",
                Severity.WARNING,
                "over 30 % of the node's CPU unaccounted for",
                since=sample.at,
                evidence=[sample.evidence(f"{left:.1f} cores")],
                facts={
                    **facts,
                    "cores": round(left, 2),
                    "share": round(share, 3),
                    "nodes": len(unaccounted),
                },
            )
        if usage.memory_bytes is not None and usage.pods_memory_bytes is not None and room:
            rest = (
                usage.memory_bytes
                - usage.pods_memory_bytes
                - (usage.kubelet_memory_bytes or 0)
                - (usage.runtime_memory_bytes or 0)
            )
            if rest > 0.3 * room and rest > GIB:
                yield make(
                    "node-memory-unaccounted",
                    ref,
                    f"{quantity.size_text(rest)} are used by no pod, kubelet or runtime",
                    Severity.WARNING,
                    "over 30 % of the node's memory unaccounted for",
                    since=sample.at,
                    evidence=[sample.evidence(quantity.size_text(rest))],
                    facts={**facts, "bytes": rest, "share": round(rest / room, 3)},
                )
        top = _top(usage.node, view, view.sources.containers)
        if usage.cpu_cores is not None and cores and usage.cpu_cores > 0.9 * cores:
            yield make(
                "node-cpu-hot",
                ref,
                f"{usage.cpu_cores / cores:.0%} of its allocatable CPU is used"
                + (f", most by {top[0]}" if top[0] else ""),
                Severity.WARNING,
                "over 90 % of the node's CPU",
                since=sample.at,
                evidence=[sample.evidence(f"{usage.cpu_cores:.1f} of {cores:.0f} cores")],
                facts={
                    **facts,
                    "share": round(usage.cpu_cores / cores, 3),
                    "top": top[0],
                    "top_cores": round(top[1], 2),
                    "top_no_limit": top[4],
                },
            )
        if usage.memory_bytes is not None and room and usage.memory_bytes > 0.9 * room:
            yield make(
                "node-memory-hot",
                ref,
                f"{usage.memory_bytes / room:.0%} of its allocatable memory is used"
                + (f", most by {top[2]}" if top[2] else ""),
                Severity.WARNING,
                "over 90 % of the node's memory",
                since=sample.at,
                evidence=[
                    sample.evidence(
                        f"{quantity.size_text(usage.memory_bytes)} of "
                        f"{quantity.size_text(room)} allocatable"
                    )
                ],
                facts={
                    **facts,
                    "share": round(usage.memory_bytes / room, 3),
                    "top": top[2],
                    "top_bytes": int(top[3]),
                    "top_no_limit": top[5],
                },
            )


def _kubelet_high(value: int, every: list[int]) -> bool:
    peers = median(every)
    return value > GIB or (len(every) >= 3 and value > 4 * peers and value > 400 * 2**20)


def _cpu_left(usage: NodeUsage, view: ClusterView) -> tuple[float, float]:
    """Cores that nothing explains, and their share of the node."""
    node = view.node(usage.node)
    cores = quantity.parse(node.status.allocatable.get("cpu", "")) if node else None
    if usage.cpu_cores is None or usage.pods_cpu_cores is None or not cores:
        return 0.0, 0.0
    left = (
        usage.cpu_cores
        - usage.pods_cpu_cores
        - (usage.kubelet_cpu_cores or 0)
        - (usage.runtime_cpu_cores or 0)
    )
    return left, left / cores


def _top(
    node: str, view: ClusterView, sample: Sample[ContainerUsage] | None
) -> tuple[str, float, str, float, bool, bool]:
    """(owner that uses most CPU, cores, owner that uses most memory, bytes, no CPU limit, no memory
    limit) on a node."""
    cpu: dict[Ref, float] = defaultdict(float)
    mem: dict[Ref, float] = defaultdict(float)
    free_cpu: set[Ref] = set()
    free_mem: set[Ref] = set()
    for usage in sample.values if sample is not None else ():
        pod = _pod(usage, view)
        if pod is None or pod.spec.node_name != node:
            continue
        owner = view.owner(pod)
        cpu[owner] += usage.cpu_cores or 0
        mem[owner] += usage.memory_bytes or 0
        limits = _limits(usage, pod)
        if "cpu" not in limits:
            free_cpu.add(owner)
        if "memory" not in limits:
            free_mem.add(owner)
    if not cpu:
        return "", 0.0, "", 0.0, False, False
    by_cpu = min(cpu, key=lambda o: (-cpu[o], o))
    by_mem = min(mem, key=lambda o: (-mem[o], o))
    return (
        str(by_cpu),
        float(cpu[by_cpu]),
        str(by_mem),
        float(mem[by_mem]),
        by_cpu in free_cpu,
        by_mem in free_mem,
    )
