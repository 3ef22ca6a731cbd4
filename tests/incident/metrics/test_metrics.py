"""What is measured beside the objects: rates from two scrapes, and a silent failure that only they
show."""

from __future__ import annotations

from pathlib import Path

from cluster.kube.objects import Ref
from cluster.kube.prometheus import increases, quantile, samples
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from incident.metrics.metrics import Metrics
from incident.metrics.usage import (
    api_server_usage,
    container_usage,
    dns_usage,
    metrics_containers,
    metrics_usage,
    node_usage,
)
from tests.incident.drill import investigating, is_read, served, until

POD = Ref("Pod", "shop", "cart-1")


def cadvisor(throttled: float, periods: float, seconds: float) -> str:
    labels = '{container="cart",namespace="shop",pod="cart-1"}'
    return (
        f"container_cpu_cfs_throttled_periods_total{labels} {throttled}\n"
        f"container_cpu_cfs_periods_total{labels} {periods} 1700000000000\n"
        f"container_cpu_usage_seconds_total{labels} {seconds}\n"
    )


def test_throttling_is_a_rate_between_two_scrapes() -> None:
    before, after = list(samples(cadvisor(10, 100, 5))), list(samples(cadvisor(40, 160, 8)))
    (usage,) = container_usage(before, after, 60.0, {(POD, "cart"): 100}, {(POD, "cart"): 90})
    assert (usage.throttled_periods, usage.periods) == (30, 60)
    assert usage.cpu_cores == 0.05
    assert (usage.memory_bytes, usage.memory_bytes_before) == (100, 90)


def test_a_counter_that_went_back_is_a_restart_and_no_rate() -> None:
    before, after = list(samples(cadvisor(10, 100, 5))), list(samples(cadvisor(2, 120, 6)))
    (usage,) = container_usage(before, after, 60.0, {}, {})
    assert usage.throttled_periods is None
    assert usage.periods == 20


def test_dns_shares_and_tail() -> None:
    text = (
        'coredns_dns_requests_total{zone="."} 120\n'
        'coredns_dns_responses_total{rcode="NXDOMAIN"} 80\n'
        'coredns_dns_responses_total{rcode="NOERROR"} 20\n'
        'coredns_dns_request_duration_seconds_bucket{le="4.096"} 90\n'
        'coredns_dns_request_duration_seconds_bucket{le="+Inf"} 100\n'
    )
    usage = dns_usage(POD, list(samples(text)), 60.0)
    assert usage.queries_per_second == 2
    assert usage.nxdomain_share == 0.8
    assert usage.over_4s_share is not None
    assert round(usage.over_4s_share, 6) == 0.1


def test_api_server_errors_and_rejections() -> None:
    text = (
        'apiserver_request_total{verb="GET",code="200"} '
        '90\napiserver_request_total{verb="GET",code="503"} 10\n'
        'apiserver_request_duration_seconds_bucket{verb="WATCH",le="60"} 5\n'
    )
    usage = api_server_usage(list(samples(text)))
    assert usage.error_share == 0.1
    assert usage.p99_seconds is None


def test_errors_of_what_stands_behind_the_api_server_are_not_its_own() -> None:
    text = (
        'apiserver_request_total{verb="GET",resource="nodes",code="200"} 10\n'
        'apiserver_request_total{verb="CONNECT",resource="pods",subresource="proxy",code="503"} 9\n'
        'apiserver_request_total{verb="GET",resource="pods",subresource="proxy",code="503"} 9\n'
    )
    assert api_server_usage(list(samples(text))).error_share == 0


def test_quantiles_and_increases_follow_prometheus() -> None:
    text = (
        'h_bucket{le="1"} 50\nh_bucket{le="2"} 100\nh_bucket{le="+Inf"} 100\nbroken line here '
        '{\nh_bucket{le="x"} 3\n'
    )
    assert quantile(0.75, samples(text, ["h_bucket"])) == 1.5
    assert quantile(0.5, ()) is None
    assert [
        each.value for each in increases(samples("a 1\nb 5\n"), samples("a 4\nb 2\nc 9\n"))
    ] == [3]


def test_a_summary_without_file_system_or_containers_is_survived() -> None:
    usage = node_usage(
        "n", {"node": {"cpu": {"usageNanoCores": 5e8}, "systemContainers": None}, "pods": None}
    )
    assert usage.cpu_cores == 0.5
    assert usage.kubelet_memory_bytes is None


def test_metrics_server_stands_in_for_kubelets() -> None:
    node = metrics_usage({"metadata": {"name": "n"}, "usage": {"cpu": "250m", "memory": "1Gi"}})
    assert (node.cpu_cores, node.memory_bytes) == (0.25, 1 << 30)
    item = {
        "metadata": {"name": "cart-1", "namespace": "shop"},
        "containers": [{"name": "cart", "usage": {"cpu": "1", "memory": "x"}}],
    }
    (usage,) = metrics_containers(item)
    assert (usage.pod, usage.cpu_cores, usage.memory_bytes) == (POD, 1.0, None)


async def test_throttling_that_no_object_shows_is_found_by_measuring(tmp_path: Path) -> None:
    with served("cpu-throttling-below-limit", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            view = await until(investigation, is_read)
            assert not [
                match for symptom in view.symptoms for match in symptom.matches if match.confident
            ]
            live = investigation._session.live
            assert isinstance(live, LiveCluster)
            measuring = Metrics(live, live._clock, Cadence())
            await measuring.measure()
            assert measuring.sources is not None
            assert measuring.sources.nodes is not None
            assert measuring.sources.containers is None, "one scrape is no rate"
