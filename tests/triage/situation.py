"""Situations of a small cluster, and what triage finds in them.

Each report is held against the catalogue of rules: a finding and a change have the facts that their
rule registers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, WatchState
from tests import shipped
from tests.triage.build import NOW, Cluster, ago, meta, ts
from triage.engine import triage_once
from triage.facts.finding import Finding, Report, Severity
from triage.facts.finding_builder import finding_id
from triage.facts.measurements import LastWords, Sample, Sources
from triage.facts.rules import catalogue

LIVE = {kind.name: Freshness(kind.name, WatchState.LIVE, heard=NOW) for kind in KINDS}
MATCHER = shipped.matcher()
STORIES = {runbook.id for runbook in MATCHER.library.runbooks if runbook.story}


def look(cluster: Cluster, said: Sequence[LastWords] = ()) -> Report:
    """The report of a cluster whose kinds are all live; `said`: last words of its containers."""
    sample = Sample(NOW, 0.0, tuple(said)) if said else None
    report = triage_once(cluster.store(), NOW, LIVE, Sources(last_words=sample))
    for finding in report.findings:
        rule = catalogue.FINDINGS[finding.rule]
        named = set(finding.facts)
        assert set(rule.facts) <= named <= rule.fact_names, (finding.rule, named)
        assert finding.id.startswith(finding_id(finding.rule, finding.object))
    for change in report.changes:
        assert set(change.facts) <= set(catalogue.CHANGES[change.rule].facts), change.rule
    ids = [f.id for f in report.findings]
    assert len(ids) == len(set(ids))
    return report


def background(nodes: int = 9) -> Cluster:
    cluster = Cluster(nodes)
    for namespace in ("shop", "billing", "search"):
        for name in ("web", "api", "worker"):
            cluster.deployment(name, namespace, replicas=4)
    return cluster


def first(cluster: Cluster) -> str:
    return look(cluster).symptoms[0].title


def found(cluster: Cluster, rule: str) -> list[Finding]:
    return [f for f in look(cluster).findings if f.rule == rule]


def one(report: Report, rule: str) -> Finding:
    found = [f for f in report.findings if f.rule == rule]
    assert len(found) == 1, [f.id for f in report.findings]
    return found[0]


def loud(report: Report) -> set[str]:
    return {f.rule for f in report.findings if f.severity is not Severity.INFO}


def sure(report: Report) -> set[str]:
    """The stories that are confident; a guide of the family may be."""
    found = (m for s in report.symptoms for m in MATCHER.match_symptom(s, report))
    return {m.id for m in found if m.confident and m.id in STORIES}


def service(
    cluster: Cluster,
    name: str,
    namespace: str,
    selector: dict[str, str],
    port: int = 80,
    ready: bool = True,
    type_: str = "ClusterIP",
    address: str = "",
    **spec: Any,
) -> dict[str, Any]:
    raw = cluster.add(
        "Service",
        {
            "metadata": meta(name, namespace),
            "spec": {
                "type": type_,
                "selector": selector,
                "clusterIP": f"10.2.0.{9 + sum(kind == 'Service' for kind, _ in cluster.raw)}",
                "ports": [{"port": port}],
                **spec,
            },
            "status": {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {},
        },
    )
    pods = [
        r
        for k, r in cluster.raw
        if k == "Pod"
        and r["metadata"]["namespace"] == namespace
        and all(r["metadata"]["labels"].get(k2) == v for k2, v in selector.items())
    ]
    cluster.add(
        "EndpointSlice",
        {
            "metadata": meta(f"{name}-x", namespace, labels={"kubernetes.io/service-name": name}),
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": [p["status"]["podIP"]],
                    "nodeName": p["spec"]["nodeName"],
                    "conditions": {"ready": ready},
                    "targetRef": {
                        "kind": "Pod",
                        "namespace": namespace,
                        "name": p["metadata"]["name"],
                    },
                }
                for p in pods
            ],
        },
    )
    return raw


def pending(
    cluster: Cluster,
    name: str,
    *,
    node: str = "",
    since: datetime | None = None,
    init: list[dict[str, Any]] | None = None,
    init_states: list[dict[str, Any]] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    phase: str = "Pending",
    **status: Any,
) -> dict[str, Any]:
    since = since or ago(minutes=40)
    return cluster.add(
        "Pod",
        {
            "metadata": meta(name, "shop", created=since, labels={"app": name}),
            "spec": {
                "nodeName": node,
                "containers": [{"name": "main", "image": "app:1"}],
                "initContainers": init or [],
            },
            "status": {
                "phase": phase,
                "startTime": ts(since),
                "conditions": conditions
                or [
                    {
                        "type": "PodScheduled",
                        "status": "True" if node else "False",
                        "reason": "" if node else "Unschedulable",
                        "lastTransitionTime": ts(since),
                    },
                    {"type": "Ready", "status": "False", "lastTransitionTime": ts(since)},
                ],
                "initContainerStatuses": init_states or [],
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {
                            "waiting": {
                                "reason": "PodInitializing" if init else "ContainerCreating"
                            }
                        },
                    }
                ],
                **status,
            },
        },
    )


def running_init(name: str, since: datetime, *, started: bool | None = None) -> dict[str, Any]:
    return {"name": name, "started": started, "state": {"running": {"startedAt": ts(since)}}}


def lease(cluster: Cluster, name: str, renewed: datetime, namespace: str = "kube-system") -> None:
    spec = {"holderIdentity": "cp-1_x", "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.000000Z")}
    cluster.add("Lease", {"metadata": meta(name, namespace), "spec": spec})


def old_crash_loop(cluster: Cluster, name: str, days: float) -> None:
    work = cluster.deployment(name, "sandbox", replicas=1, created=ago(days=days))
    work["status"].update(readyReplicas=0, availableReplicas=0)
    cluster.waiting(
        work["pods"][0],
        "CrashLoopBackOff",
        restarts=1700,
        phase="Running",
        last={
            "exitCode": 1,
            "reason": "Error",
            "startedAt": ts(ago(minutes=4)),
            "finishedAt": ts(ago(minutes=3)),
        },
    )
    cluster.pod_event(
        work["pods"][0],
        "BackOff",
        "Back-off restarting failed container app in pod",
        ago(minutes=1),
        ago(days=days),
        count=9000,
    )


def pod_of(cluster: Cluster, **deployment: Any) -> dict[str, Any]:
    pod: dict[str, Any] = cluster.deployment("odd", "shop", replicas=1, **deployment)["pods"][0]
    return pod


def about(report: Report, rule: str, name: str) -> Finding:
    return next(f for f in report.findings if f.rule == rule and f.object.name.startswith(name))
