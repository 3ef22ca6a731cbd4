"""kube-proxy of one node against its peers: rules that are written late, not at all, or slowly,
behind a pod that is Running."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube import durations
from cluster.kube.objects import Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import ProxyUsage, Sample, median

OVERDUE = 60.0
"""Seconds that a change may wait: kube-proxy calls itself unhealthy after twice its syncPeriod of
30 s (pkg/proxy/healthcheck)."""
FAILURES = 2
"""A restore that fails once is repeated at once (pkg/proxy/iptables)."""
PROGRAMMING = 30.0
"""Seconds at the 99th percentile; a few seconds are usual in clusters of thousands of Services."""
_PEERS = 3


@cluster_detector
def proxies(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """A kube-proxy that is late is a warning; one that is silent counts only while at least three
    peers answer."""
    sample = view.sources.proxies
    if sample is None:
        return
    troubled = [(usage, cause) for usage in sample.values if (cause := _cause(usage, sample))]
    well = len(sample.values) - len(troubled)
    for usage, cause in sorted(troubled, key=lambda item: item[0].node):
        node = view.node(usage.node)
        if node is None:
            continue
        what = {
            "stale": "has not written a change of Services for "
            f"{durations.words(usage.overdue_seconds or 0)}",
            "failing": f"failed to write its rules {usage.failures} times in "
            f"{durations.words(sample.seconds)}",
            "slow": f"takes {usage.programming_p99_seconds or 0:.0f} s to apply a change",
            "silent": "does not answer on its health port",
        }[cause]
        peers = (
            f"{well} of {len(sample.values) - 1} others are up to date"
            if len(sample.values) > 1
            else "no other one was asked"
        )
        yield make(
            "proxy-rules-behind",
            Ref("Node", "", usage.node),
            f"kube-proxy {what}; {peers}",
            Severity.WARNING,
            "a change that waits for over a minute, writes that fail, 30 s at the 99th "
            "percentile, or silence among peers that answer",
            since=sample.at,
            related=[usage.pod],
            evidence=[sample.evidence(f"{usage.pod}: {_numbers(usage)}")],
            facts={
                **view.node_facts(node),
                "cause": cause,
                "seconds": int(usage.overdue_seconds or 0),
                "failures": usage.failures,
                "pending": usage.pending,
                "peers": well,
                "nodes": len(troubled),
            },
        )


def _cause(usage: ProxyUsage, sample: Sample[ProxyUsage]) -> str:
    others = [each for each in sample.values if each.pod != usage.pod]
    if not usage.answers:
        answering = sum(1 for each in others if each.answers)
        return "silent" if answering >= _PEERS and answering * 4 >= 3 * len(others) else ""
    if (usage.overdue_seconds or 0) >= OVERDUE:
        return "stale"
    if (usage.failures or 0) >= FAILURES:
        return "failing"
    usual = [
        each.programming_p99_seconds for each in others if each.programming_p99_seconds is not None
    ]
    slow = usage.programming_p99_seconds or 0.0
    if slow >= PROGRAMMING and (not usual or slow > 4 * median(usual)):
        return "slow"
    return ""


def _numbers(usage: ProxyUsage) -> str:
    parts = [
        f"change overdue for {usage.overdue_seconds:.0f} s" if usage.overdue_seconds else "",
        f"{usage.failures} failed writes" if usage.failures else "",
        f"{usage.pending} endpoint changes pending" if usage.pending else "",
        f"sync p99 {usage.sync_p99_seconds:.1f} s" if usage.sync_p99_seconds is not None else "",
        f"network programming p99 {usage.programming_p99_seconds:.1f} s"
        if usage.programming_p99_seconds is not None
        else "",
    ]
    return ", ".join(part for part in parts if part) or "no answer"
