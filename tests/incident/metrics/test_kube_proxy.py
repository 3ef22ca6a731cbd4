"""kube-proxy as a source: what its health page and its metrics tell, and where they cannot be
had."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.prometheus import samples
from cluster.live.live_cluster import LiveCluster
from drills.server.http import DrillServer
from incident.cadence import Cadence
from incident.metrics.kube_proxy import KubeProxies, overdue, proxy_usage
from tests.incident.drill import investigating, is_read, served, until

POD = Ref("Pod", "kube-system", "kube-proxy-x")
WELL = (
    '{"lastUpdated":"2026-11-21T13:03:02.76Z","currentTime":"2026-11-21T13:03:02.76Z","nodeEligible":true,"healthy":true,'
    '"status":{"IPv4":{"lastUpdated":"2026-11-21T12:02:14.6Z","healthy":true}}}'
)
LATE = WELL.replace('"healthy":true', '"healthy":false').replace("12:02:14.6Z", "13:00:02.76Z")


def page(synced: float, queued: float, failures: int = 0) -> str:
    family = '{ip_family="IPv4"}'
    return (
        f"kubeproxy_sync_proxy_rules_last_timestamp_seconds{family} {synced}\n"
        f"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{family} {queued}\n"
        f"kubeproxy_sync_proxy_rules_iptables_restore_failures_total{family} {failures}\n"
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending 4\n"
    )


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (WELL, 0.0),
        (LATE, 180.0),
        (
            '{"lastUpdated":"2026-11-21T13:00:02Z","currentTime":"2026-11-21T13:03:02Z"}',
            180.0,
        ),  # releases without status
        (
            '{"lastUpdated":"2026-11-21T13:00:02Z","currentTime":"2026-11-21T13:03:02Z","nodeEligible":false}',
            0.0,
        ),
        ("<html>a proxy in between</html>", None),
        ("{}", None),
        (None, None),
    ],
)
def test_the_health_page_says_how_late_it_is(body: str | None, seconds: float | None) -> None:
    assert overdue(body) == seconds


def test_a_change_that_two_scrapes_see_unwritten_is_overdue() -> None:
    before, after = list(samples(page(1000, 1010))), list(samples(page(1000, 1070, failures=3)))
    usage = proxy_usage(POD, "n1", WELL, before, after, 60.0)
    assert (usage.answers, usage.overdue_seconds, usage.failures, usage.pending) == (
        True,
        70.0,
        3,
        4,
    )


def test_a_change_that_was_written_between_two_scrapes_is_not() -> None:
    usage = proxy_usage(
        POD, "n1", WELL, list(samples(page(1000, 1010))), list(samples(page(1011, 1070))), 60.0
    )
    assert usage.overdue_seconds == 0.0
    quiet = proxy_usage(
        POD, "n1", WELL, list(samples(page(1000, 990))), list(samples(page(1000, 990))), 60.0
    )
    assert quiet.overdue_seconds == 0.0, "nothing was queued: an idle cluster is well"


def live_of(server: object) -> LiveCluster:
    assert isinstance(server, LiveCluster)
    return server


def late_on(server: DrillServer, live: LiveCluster, node: str) -> Pod:
    """Let the health page of one node's kube-proxy say that it is late."""
    pod = next(
        p
        for p in live.store.all("Pod", Pod)
        if p.metadata.name.startswith("kube-proxy-") and p.spec.node_name == node
    )
    rule = {
        "pods": {"namespace": "kube-system", "name": pod.metadata.name},
        "port": 10256,
        "path": "healthz",
        "body": LATE,
    }
    server.state.surroundings.metrics.append((server.state.clock(), rule))
    return pod


async def test_closed_metrics_are_one_quiet_gap_and_health_is_asked_instead(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (server, kubeconfig):
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            await until(investigation, is_read)
            live = live_of(investigation._session.live)
            nodes = [node.metadata.name for node in live.store.all("Node", Node)]
            proxies = KubeProxies(live, live._clock, Cadence())
            pod = late_on(server, live, sorted(nodes)[-1])
            sample = await proxies.measure(nodes)
            assert sample is not None
            assert {usage.node for usage in sample.values} == set(nodes)
            assert [
                (usage.node, usage.overdue_seconds)
                for usage in sample.values
                if usage.overdue_seconds
            ] == [(pod.spec.node_name, 180.0)]
            assert [(gap.what, gap.quiet) for gap in proxies.gaps()] == [
                ("kube-proxy metrics", True)
            ]
            assert "metricsBindAddress" in proxies.gaps()[0].why
