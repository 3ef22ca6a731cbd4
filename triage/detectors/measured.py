"""Findings from measurements (`triage.sources`), each only where its source is there. Every one names the age of its sample."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cluster.objects import Pod, Ref
from triage import quantity
from triage.finding import Evidence, Finding, Severity, SinceSource
from triage.make import CLUSTER, make
from triage.sources import ContainerUsage, DnsUsage, LogActivity, NodeUsage, Sample, Sources
from triage.view import View

GIB = 2**30


def _said(sample: Sample[Any], text: str) -> Evidence:
    over = f" over {sample.seconds:.0f} s" if sample.seconds else ""
    return Evidence(f"measured{over}", text, sample.at)


def _pod(usage: ContainerUsage, view: View) -> Pod | None:
    row = view.store.get(*usage.pod)
    return row if isinstance(row, Pod) else None


def _limits(usage: ContainerUsage, pod: Pod) -> dict[str, str]:
    return next((c.resources.limits for c in pod.spec.containers if c.name == usage.container), {})


def throttling(sample: Sample[ContainerUsage], view: View) -> Iterator[Finding]:
    """Over 25 % of periods throttled (mixin CPUThrottlingHigh): far below the limit it is the kernel, at the limit it is honest."""
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
                f"container {usage.container} is throttled in {ratio:.0%} of periods, and uses {share:.0%} of its limit",
                Severity.INFO,
                "a limit that does what it says is a note",
                since=sample.at,
                detail=usage.container,
                evidence=[_said(sample, f"{ratio:.0%} throttled")],
                facts={"ratio": round(ratio, 3), "usage_of_limit": round(share, 3)},
            )
    for owner, group in sorted(below.items()):
        worst = max(group, key=lambda item: item[1])
        node = view.node(worst[3].spec.node_name)
        kernel = node.status.node_info.kernel_version if node else ""
        yield make(
            "cpu-throttled-below-limit",
            owner,
            f"{len(group)} containers throttled, up to {worst[1]:.0%} of periods at {worst[2]:.0%} of their limit (kernel {kernel or '?'})",
            Severity.WARNING,
            "over 25 % throttled below 60 % of the limit",
            since=sample.at,
            related=[u.pod for u, _, _, _ in group[:10]],
            evidence=[_said(sample, f"{u.pod}: {r:.0%} throttled at {s:.0%} of the limit") for u, r, s, _ in group[:4]],
            facts={"ratio": round(worst[1], 3), "usage_of_limit": round(worst[2], 3), "kernel": kernel, "containers": len(group)},
        )


def memory(sample: Sample[ContainerUsage], view: View) -> Iterator[Finding]:
    """Close to the limit, and owners whose pods grow on every node (story 000)."""
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
                f"container {usage.container} uses {usage.memory_bytes / limit:.0%} of its memory limit",
                Severity.INFO,
                "over 90 % of a limit is a note",
                since=sample.at,
                detail=usage.container,
                evidence=[_said(sample, f"{quantity.bytes_text(usage.memory_bytes)} of {quantity.bytes_text(limit)}")],
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
            rate = int(statistics.median(r for r, _ in group))
            yield make(
                "memory-growing",
                owner,
                f"its {len(group)} pods on {len(nodes)} nodes grow by {quantity.bytes_text(rate)} a minute each",
                Severity.WARNING,
                "three quarters of an owner's pods grow by over 10 MiB a minute",
                since=sample.at,
                evidence=[_said(sample, f"{quantity.bytes_text(rate)} a minute")],
                facts={"owner": str(owner), "bytes_per_minute": rate, "pods": len(group), "nodes": len(nodes)},
            )


def nodes(sample: Sample[NodeUsage], view: View, containers: Sample[ContainerUsage] | None) -> Iterator[Finding]:
    """Kubelet memory against its peers, and CPU or memory of a node that nothing on it explains."""
    kubelets = [u.kubelet_memory_bytes for u in sample.values if u.kubelet_memory_bytes]
    high = [u for u in sample.values if u.kubelet_memory_bytes and _kubelet_high(u.kubelet_memory_bytes, kubelets)]
    unaccounted = [u for u in sample.values if _cpu_left(u, view)[1] > 0.3]
    for usage in sample.values:
        node = view.node(usage.node)
        if node is None:
            continue
        ref, facts = Ref("Node", "", usage.node), view.node_facts(node)
        cores = quantity.parse(node.status.allocatable.get("cpu", "")) or 0
        room = quantity.parse(node.status.allocatable.get("memory", "")) or 0
        if usage in high and usage.kubelet_memory_bytes:
            peers = int(statistics.median(kubelets))
            yield make(
                "kubelet-memory-high",
                ref,
                f"the kubelet uses {quantity.bytes_text(usage.kubelet_memory_bytes)}, the median is {quantity.bytes_text(peers)}",
                Severity.WARNING,
                "over 1 GiB, or over four times the median and 400 MiB",
                since=sample.at,
                evidence=[_said(sample, quantity.bytes_text(usage.kubelet_memory_bytes))],
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
                evidence=[_said(sample, f"{left:.1f} cores")],
                facts={**facts, "cores": round(left, 2), "share": round(share, 3), "nodes": len(unaccounted)},
            )
        if usage.memory_bytes is not None and usage.pods_memory_bytes is not None and room:
            rest = usage.memory_bytes - usage.pods_memory_bytes - (usage.kubelet_memory_bytes or 0) - (usage.runtime_memory_bytes or 0)
            if rest > 0.3 * room and rest > GIB:
                yield make(
                    "node-memory-unaccounted",
                    ref,
                    f"{quantity.bytes_text(rest)} are used by no pod, kubelet or runtime",
                    Severity.WARNING,
                    "over 30 % of the node's memory unaccounted for",
                    since=sample.at,
                    evidence=[_said(sample, quantity.bytes_text(rest))],
                    facts={**facts, "bytes": rest, "share": round(rest / room, 3)},
                )
        top = _top(usage.node, view, containers)
        if usage.cpu_cores is not None and cores and usage.cpu_cores > 0.9 * cores:
            yield make(
                "node-cpu-hot",
                ref,
                f"{usage.cpu_cores / cores:.0%} of its CPU is used" + (f", most by {top[0]}" if top[0] else ""),
                Severity.WARNING,
                "over 90 % of the node's CPU",
                since=sample.at,
                evidence=[_said(sample, f"{usage.cpu_cores:.1f} of {cores:.0f} cores")],
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
                f"{usage.memory_bytes / room:.0%} of its memory is used" + (f", most by {top[2]}" if top[2] else ""),
                Severity.WARNING,
                "over 90 % of the node's memory",
                since=sample.at,
                evidence=[_said(sample, quantity.bytes_text(usage.memory_bytes))],
                facts={
                    **facts,
                    "share": round(usage.memory_bytes / room, 3),
                    "top": top[2],
                    "top_bytes": int(top[3]),
                    "top_no_limit": top[5],
                },
            )


def _kubelet_high(value: int, every: list[int]) -> bool:
    peers = statistics.median(every)
    return value > GIB or (len(every) >= 3 and value > 4 * peers and value > 400 * 2**20)


def _cpu_left(usage: NodeUsage, view: View) -> tuple[float, float]:
    """Cores that nothing explains, and their share of the node."""
    node = view.node(usage.node)
    cores = quantity.parse(node.status.allocatable.get("cpu", "")) if node else None
    if usage.cpu_cores is None or usage.pods_cpu_cores is None or not cores:
        return 0.0, 0.0
    left = usage.cpu_cores - usage.pods_cpu_cores - (usage.kubelet_cpu_cores or 0) - (usage.runtime_cpu_cores or 0)
    return left, left / cores


def _top(node: str, view: View, sample: Sample[ContainerUsage] | None) -> tuple[str, float, str, float, bool, bool]:
    """(owner that uses most CPU, cores, owner that uses most memory, bytes, no CPU limit, no memory limit) on a node."""
    cpu: Counter[Ref] = Counter()
    mem: Counter[Ref] = Counter()
    free_cpu: set[Ref] = set()
    free_mem: set[Ref] = set()
    for usage in sample.values if sample is not None else ():
        pod = _pod(usage, view)
        if pod is None or pod.spec.node_name != node:
            continue
        owner = view.owner(pod)
        cpu[owner] += usage.cpu_cores or 0  # type: ignore[assignment]  # a Counter of floats
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
    return str(by_cpu), float(cpu[by_cpu]), str(by_mem), float(mem[by_mem]), by_cpu in free_cpu, by_mem in free_mem


def dns(sample: Sample[DnsUsage]) -> Iterator[Finding]:
    """Mostly NXDOMAIN (search path, ndots:5), SERVFAIL over 1 % (openshift CoreDNSErrorsHigh), or slow answers."""
    for usage in sample.values:
        if (usage.nxdomain_share > 0.5 and usage.queries_per_second > 50) or usage.servfail_share > 0.01:
            yield make(
                "dns-load-high",
                usage.pod,
                f"{usage.queries_per_second:.0f} queries/s, {usage.nxdomain_share:.0%} NXDOMAIN, {usage.servfail_share:.1%} SERVFAIL",
                Severity.WARNING if usage.servfail_share > 0.01 else Severity.INFO,
                "SERVFAIL over 1 % is a warning, mostly NXDOMAIN a note",
                since=sample.at,
                evidence=[_said(sample, f"{usage.nxdomain_share:.0%} NXDOMAIN")],
                facts={
                    "qps": round(usage.queries_per_second, 1),
                    "nxdomain": round(usage.nxdomain_share, 3),
                    "servfail": round(usage.servfail_share, 4),
                },
            )
        slow = (usage.p99_seconds or 0) > 1
        if slow or (usage.over_4s_share or 0) > 0.001:
            yield make(
                "dns-slow",
                usage.pod,
                f"answers take {usage.p99_seconds or 0:.1f} s at the 99th percentile",
                Severity.WARNING,
                "p99 over a second, or answers over 4 s",
                since=sample.at,
                evidence=[_said(sample, f"p99 {usage.p99_seconds} s")],
                facts={"p99_seconds": float(usage.p99_seconds or 0), "over_4s": float(usage.over_4s_share or 0)},
            )


def log_silence(sample: Sample[LogActivity], view: View, extra: Sources) -> Iterator[Finding]:
    """One pod of a DaemonSet is silent while three or more peers work (story 002 PrometheusKube)."""
    groups: dict[Ref, list[LogActivity]] = {}
    for activity in sample.values:
        row = view.store.get(*activity.pod)
        owner = view.owner(row) if isinstance(row, Pod) else extra.log_owners.get(activity.pod)
        if owner is not None:
            groups.setdefault(owner, []).append(activity)
    for owner, group in sorted(groups.items()):
        talking = [a for a in group if (a.lines or 0) > 0]
        silent = [a for a in group if a.lines == 0]
        if len(talking) < 3 or not silent or len(silent) * 4 > len(group):
            continue
        usual = (
            statistics.median(a.cpu_cores for a in talking if a.cpu_cores is not None)
            if any(a.cpu_cores is not None for a in talking)
            else None
        )
        for activity in sorted(silent, key=lambda a: a.pod):
            idle = usual is not None and activity.cpu_cores is not None and activity.cpu_cores < 0.1 * usual
            busy = usual is not None and activity.cpu_cores is not None and activity.cpu_cores > 0.5 * usual
            if busy and (activity.network_tx_bytes or 0) > 0:
                continue
            row = view.store.get(*activity.pod)
            yield make(
                "log-silence",
                activity.pod,
                f"silent for {quantity.span_text(activity.seconds)} on {activity.node} while {len(talking)} peers of {owner.name} work",
                Severity.WARNING,
                "one of at least four peers is silent",
                since=sample.at,
                source=SinceSource.FIRST_SEEN,
                evidence=[_said(sample, f"0 lines, peers {int(statistics.median(a.lines or 0 for a in talking))} lines")],
                related=[owner],
                facts={
                    "node": activity.node,
                    "role": view.role(row) if isinstance(row, Pod) else "",
                    "peers": len(talking),
                    "log_lines": activity.lines,
                    "idle": idle,
                },
            )


def api_server(extra: Sources) -> Iterator[Finding]:
    """Slow or failing requests, and checks of /readyz that fail."""
    sample = extra.api_server
    if sample is None:
        return
    for usage in sample.values:
        p99, errors = usage.p99_seconds or 0.0, usage.error_share or 0.0
        if p99 > 1 or errors > 0.05:
            yield make(
                "api-slow",
                CLUSTER,
                f"requests to the API server take {p99:.1f} s at the 99th percentile, {errors:.0%} end in errors",
                Severity.WARNING,
                "p99 over a second, or over 5 % errors",
                since=sample.at,
                evidence=[_said(sample, f"p99 {p99:.1f} s, etcd {usage.etcd_p99_seconds} s")],
                facts={"p99_seconds": round(p99, 2), "errors": round(errors, 3), "etcd_p99_seconds": float(usage.etcd_p99_seconds or 0)},
            )
        if usage.failed_checks:
            etcd = any("etcd" in c for c in usage.failed_checks)
            yield make(
                "ready-check-failed",
                CLUSTER,
                f"the API server is not ready: {', '.join(usage.failed_checks)}",
                Severity.CRITICAL,
                "a check of /readyz fails",
                since=sample.at,
                evidence=[_said(sample, ", ".join(usage.failed_checks))],
                facts={"checks": usage.failed_checks, "etcd": etcd},
            )


def detect(view: View, extra: Sources | None) -> Iterator[Finding]:
    """All findings that the measurements give; none when nothing was measured."""
    if extra is None:
        return
    if extra.containers is not None:
        yield from throttling(extra.containers, view)
        yield from memory(extra.containers, view)
    if extra.nodes is not None:
        yield from nodes(extra.nodes, view, extra.containers)
    if extra.dns is not None:
        yield from dns(extra.dns)
    if extra.logs is not None:
        yield from log_silence(extra.logs, view, extra)
    yield from api_server(extra)
