"""Measurements of services: DNS, log shippers, the API server."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube import durations
from cluster.kube.objects import Pod, Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, make
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import LogActivity, median


@cluster_detector
def dns(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Mostly NXDOMAIN (search path, ndots:5), SERVFAIL over 1 % (openshift CoreDNSErrorsHigh), or
    slow answers."""
    sample = view.sources.dns
    if sample is None:
        return
    for usage in sample.values:
        if (
            usage.nxdomain_share > 0.5 and usage.queries_per_second > 50
        ) or usage.servfail_share > 0.01:
            yield make(
                "dns-load-high",
                usage.pod,
                f"{usage.queries_per_second:.0f} queries/s, {usage.nxdomain_share:.0%} NXDOMAIN, "
                f"{usage.servfail_share:.1%} SERVFAIL",
                Severity.WARNING if usage.servfail_share > 0.01 else Severity.INFO,
                "SERVFAIL over 1 % is a warning, mostly NXDOMAIN a note",
                since=sample.at,
                evidence=[sample.evidence(f"{usage.nxdomain_share:.0%} NXDOMAIN")],
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
                evidence=[sample.evidence(f"p99 {usage.p99_seconds} s")],
                facts={
                    "p99_seconds": float(usage.p99_seconds or 0),
                    "over_4s": float(usage.over_4s_share or 0),
                },
            )


@cluster_detector
def log_silence(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """One pod of a DaemonSet is silent while three or more peers work (story 002
    PrometheusKube)."""
    sample = view.sources.logs
    if sample is None:
        return
    groups: dict[Ref, list[LogActivity]] = {}
    for activity in sample.values:
        row = view.store.get(*activity.pod)
        owner = (
            view.owner(row) if isinstance(row, Pod) else view.sources.log_owners.get(activity.pod)
        )
        if owner is not None:
            groups.setdefault(owner, []).append(activity)
    for owner, group in sorted(groups.items()):
        talking = [a for a in group if (a.lines or 0) > 0]
        silent = [a for a in group if a.lines == 0]
        if len(talking) < 3 or not silent or len(silent) * 4 > len(group):
            continue
        usual = (
            median(a.cpu_cores for a in talking if a.cpu_cores is not None)
            if any(a.cpu_cores is not None for a in talking)
            else None
        )
        for activity in sorted(silent, key=lambda a: a.pod):
            idle = (
                usual is not None
                and activity.cpu_cores is not None
                and activity.cpu_cores < 0.1 * usual
            )
            busy = (
                usual is not None
                and activity.cpu_cores is not None
                and activity.cpu_cores > 0.5 * usual
            )
            if busy and (activity.network_tx_bytes or 0) > 0:
                continue
            row = view.store.get(*activity.pod)
            yield make(
                "log-silence",
                activity.pod,
                f"silent for {durations.words(activity.seconds)} on {activity.node} while "
                f"{len(talking)} peers of {owner.name} work",
                Severity.WARNING,
                "one of at least four peers is silent",
                since=sample.at,
                source=SinceSource.FIRST_SEEN,
                evidence=[
                    sample.evidence(
                        f"0 lines, peers {int(median(a.lines or 0 for a in talking))} lines"
                    )
                ],
                related=[owner],
                facts={
                    "node": activity.node,
                    "role": view.role(row) if isinstance(row, Pod) else "",
                    "peers": len(talking),
                    "log_lines": activity.lines,
                    "idle": idle,
                },
            )


@cluster_detector
def api_server(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Slow or failing requests, and checks of /readyz that fail."""
    sample = view.sources.api_server
    if sample is None:
        return
    for usage in sample.values:
        p99, errors = usage.p99_seconds or 0.0, usage.error_share or 0.0
        slow = [f"take {p99:.1f} s at the 99th percentile"] if p99 > 1 else []
        if errors > 0.05:
            slow.append(f"end in errors ({errors:.0%})")
        if slow:
            yield make(
                "api-slow",
                CLUSTER,
                f"requests to the API server {' and '.join(slow)}",
                Severity.WARNING,
                "p99 over a second, or over 5 % errors",
                since=sample.at,
                evidence=[sample.evidence(f"p99 {p99:.1f} s, etcd {usage.etcd_p99_seconds} s")],
                facts={
                    "p99_seconds": round(p99, 2),
                    "errors": round(errors, 3),
                    "etcd_p99_seconds": float(usage.etcd_p99_seconds or 0),
                },
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
                evidence=[sample.evidence(", ".join(usage.failed_checks))],
                facts={"checks": usage.failed_checks, "etcd": etcd},
            )
