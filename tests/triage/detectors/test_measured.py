"""Findings from measurements: each speaks where its source is there, names the numbers, and is
silent in health."""

from __future__ import annotations

from cluster.kube.objects import Ref
from tests.triage.build import NOW, Cluster, ago
from triage.engine import triage_once
from triage.facts.finding import Finding, Gap, Severity
from triage.facts.measurements import (
    ApiServerUsage,
    ContainerUsage,
    DnsUsage,
    LogActivity,
    NodeUsage,
    ProxyUsage,
    Sample,
    Sources,
)

AT = ago(seconds=5)
GIB = 2**30


def cluster() -> Cluster:
    made = Cluster(6)
    made.deployment(
        "web",
        replicas=6,
        spec={
            "containers": [
                {
                    "name": "app",
                    "image": "x",
                    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                }
            ]
        },
    )
    made.deployment(
        "ship",
        "logs",
        kind="DaemonSet",
        spec={"volumes": [{"name": "l", "hostPath": {"path": "/var/log"}}]},
    )
    return made


def pods(made: Cluster, namespace: str) -> list[tuple[Ref, str]]:
    rows = [r for k, r in made.raw if k == "Pod" and r["metadata"]["namespace"] == namespace]
    return [(Ref("Pod", namespace, r["metadata"]["name"]), r["spec"]["nodeName"]) for r in rows]


def findings(made: Cluster, sources: Sources) -> list[Finding]:
    return list(triage_once(made.store(), NOW, {}, sources).findings)


def containers(values: list[ContainerUsage]) -> Sources:
    return Sources(containers=Sample(AT, 60, tuple(values)))


def test_throttled_below_the_limit_is_not_throttled_at_the_limit() -> None:
    made = cluster()
    web = pods(made, "shop")
    below = containers(
        [
            ContainerUsage(p, "app", cpu_cores=0.1, throttled_periods=300, periods=600)
            for p, _ in web
        ]
    )
    (found,) = findings(made, below)
    assert (found.rule, found.object, found.severity) == (
        "cpu-throttled-below-limit",
        Ref("Deployment", "shop", "web"),
        Severity.WARNING,
    )
    assert (found.facts["ratio"], found.facts["usage_of_limit"], found.facts["containers"]) == (
        0.5,
        0.1,
        6,
    )
    (honest,) = findings(
        made,
        containers(
            [ContainerUsage(web[0][0], "app", cpu_cores=0.98, throttled_periods=300, periods=600)]
        ),
    )
    assert (honest.rule, honest.severity) == ("cpu-throttled-at-limit", Severity.INFO)
    assert (
        findings(
            made,
            containers(
                [ContainerUsage(web[0][0], "app", cpu_cores=0.5, throttled_periods=6, periods=600)]
            ),
        )
        == []
    )


def test_memory_that_grows_everywhere_is_a_leak() -> None:
    made = cluster()
    grown = [
        ContainerUsage(p, "app", memory_bytes=700 * 2**20, memory_bytes_before=600 * 2**20)
        for p, _ in pods(made, "shop")
    ]
    found = findings(made, containers(grown))
    assert [(f.rule, f.facts["pods"], f.facts["nodes"]) for f in found] == [
        ("memory-growing", 6, 6)
    ]
    assert findings(made, containers(grown[:1])) == [], "one pod that grows may just be busy"


def test_kubelet_memory_and_what_nothing_explains() -> None:
    made = cluster()
    calm = [
        NodeUsage(
            f"n{i}",
            cpu_cores=0.8,
            memory_bytes=3 * GIB,
            kubelet_memory_bytes=90 * 2**20,
            pods_cpu_cores=0.6,
            pods_memory_bytes=2 * GIB,
        )
        for i in range(1, 6)
    ]
    assert findings(made, Sources(nodes=Sample(AT, 0, tuple(calm)))) == []
    odd = NodeUsage(
        "n6",
        cpu_cores=1.95,
        memory_bytes=int(6.6 * GIB),
        kubelet_memory_bytes=2 * GIB,
        pods_cpu_cores=0.3,
        pods_memory_bytes=GIB,
    )
    found = {f.rule: f for f in findings(made, Sources(nodes=Sample(AT, 0, (*calm, odd))))}
    assert set(found) == {
        "kubelet-memory-high",
        "node-cpu-unaccounted",
        "node-memory-unaccounted",
        "node-cpu-hot",
        "node-memory-hot",
    }
    assert {f.object.name for f in found.values()} == {"n6"}
    assert "% of its allocatable CPU is used" in found["node-cpu-hot"].claim
    assert "% of its allocatable memory is used" in found["node-memory-hot"].claim
    assert found["kubelet-memory-high"].facts["victims"] == 1
    assert found["node-cpu-unaccounted"].facts["cores"] == 1.65


def test_one_silent_log_shipper_among_working_peers() -> None:
    made = cluster()
    activity = [
        LogActivity(p, n, 0 if n == "n3" else 40, 600, cpu_cores=0.0 if n == "n3" else 0.02)
        for p, n in pods(made, "logs")
    ]
    (found,) = findings(made, Sources(logs=Sample(AT, 600, tuple(activity))))
    assert (
        found.rule,
        found.facts["node"],
        found.facts["role"],
        found.facts["idle"],
        found.facts["peers"],
    ) == (
        "log-silence",
        "n3",
        "log-shipper",
        True,
        5,
    )
    quiet = [LogActivity(p, n, 0, 600) for p, n in pods(made, "logs")]
    assert findings(made, Sources(logs=Sample(AT, 600, tuple(quiet)))) == [], (
        "all silent: a quiet night, not an outlier"
    )


def test_dns_and_api_server() -> None:
    made = cluster()
    pod = Ref("Pod", "kube-system", "dns")
    dns = Sources(
        dns=Sample(
            AT, 30, (DnsUsage(pod, 900, 0.8), DnsUsage(pod, 900, 0.1, 0.05, p99_seconds=5.0))
        )
    )
    assert sorted((f.rule, f.severity) for f in findings(made, dns)) == [
        ("dns-load-high", Severity.WARNING),
        ("dns-slow", Severity.WARNING),
    ]
    api = Sources(
        api_server=Sample(
            AT,
            30,
            (ApiServerUsage(p99_seconds=6.0, etcd_p99_seconds=3.0, failed_checks=("etcd",)),),
        )
    )
    found = {f.rule: f for f in findings(made, api)}
    assert found["ready-check-failed"].facts["etcd"] is True
    assert found["api-slow"].facts["p99_seconds"] == 6.0
    assert "end in errors" not in found["api-slow"].claim


def test_a_source_that_failed_is_a_gap_and_not_a_finding() -> None:
    report = triage_once(
        cluster().store(), NOW, {}, Sources(gaps=(Gap("metrics.k8s.io", "not installed"),))
    )
    assert (report.findings, [(g.what, g.why) for g in report.unavailable], report.complete) == (
        (),
        [("metrics.k8s.io", "not installed")],
        True,
    )


def proxies(*odd: ProxyUsage) -> Sources:
    taken = {usage.node for usage in odd}
    well = [
        ProxyUsage(Ref("Pod", "kube-system", f"p{n}"), f"n{n}", overdue_seconds=0.0)
        for n in range(1, 7)
        if f"n{n}" not in taken
    ]
    return Sources(proxies=Sample(AT, 60, (*well, *odd)))


def test_a_kube_proxy_that_falls_behind_its_peers() -> None:
    made, pod = cluster(), Ref("Pod", "kube-system", "odd")
    assert findings(made, proxies()) == []
    (stale,) = findings(made, proxies(ProxyUsage(pod, "n3", overdue_seconds=190.0)))
    assert (stale.rule, stale.object, stale.severity) == (
        "proxy-rules-behind",
        Ref("Node", "", "n3"),
        Severity.WARNING,
    )
    assert (
        stale.claim
        == "kube-proxy has not written a change of Services for 3 min; 5 of 5 others are up to date"
    )
    assert (
        stale.facts["cause"],
        stale.facts["seconds"],
        stale.facts["peers"],
        stale.facts["nodes"],
    ) == ("stale", 190, 5, 1)
    (failing,) = findings(made, proxies(ProxyUsage(pod, "n3", overdue_seconds=0.0, failures=4)))
    assert failing.facts["cause"] == "failing"
    (slow,) = findings(made, proxies(ProxyUsage(pod, "n3", programming_p99_seconds=45.0)))
    assert slow.facts["cause"] == "slow"
    (silent,) = findings(made, proxies(ProxyUsage(pod, "n3", answers=False)))
    assert silent.facts["cause"] == "silent"


def test_silence_among_kube_proxies_that_are_all_silent_says_nothing() -> None:
    made = cluster()
    closed = [
        ProxyUsage(Ref("Pod", "kube-system", f"p{n}"), f"n{n}", answers=False) for n in range(1, 7)
    ]
    assert findings(made, Sources(proxies=Sample(AT, 0, tuple(closed)))) == [], (
        "a closed port everywhere is a setting, not a fault"
    )
    once = ProxyUsage(Ref("Pod", "kube-system", "odd"), "n3", overdue_seconds=20.0, failures=1)
    assert findings(made, proxies(once)) == [], "one failed write is repeated at once"
