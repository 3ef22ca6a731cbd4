"""Usage from kubelet statistics, the metrics API and Prometheus pages: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.kube.objects import Ref
from cluster.kube.prometheus import MetricSample as Series
from cluster.kube.prometheus import increases, quantile
from cluster.kube.quantity import parse
from incident.metrics.documents import number, part, parts
from triage.facts.measurements import ApiServerUsage, ContainerUsage, DnsUsage, NodeUsage

CPU_SECONDS = "container_cpu_usage_seconds_total"
CFS_METRICS = (
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_cfs_periods_total",
    CPU_SECONDS,
)
DNS_METRICS = (
    "coredns_dns_requests_total",
    "coredns_dns_responses_total",
    "coredns_dns_request_duration_seconds_bucket",
)
API_METRICS = (
    "apiserver_request_duration_seconds_bucket",
    "apiserver_request_total",
    "etcd_request_duration_seconds_bucket",
)


def node_usage(node: str, stats: Mapping[str, Any]) -> NodeUsage:
    """One node from its stats/summary; a value that the kubelet does not give is None."""
    whole = part(stats, "node")
    system = {str(each.get("name")): each for each in parts(whole, "systemContainers")}
    pods = parts(stats, "pods")
    return NodeUsage(
        node=node,
        cpu_cores=_cores(whole),
        memory_bytes=memory_of(whole),
        kubelet_memory_bytes=memory_of(system.get("kubelet", {})),
        kubelet_cpu_cores=_cores(system.get("kubelet", {})),
        runtime_memory_bytes=memory_of(system.get("runtime", {})),
        runtime_cpu_cores=_cores(system.get("runtime", {})),
        pods_cpu_cores=sum(_cores(pod) or 0.0 for pod in pods) if pods else None,
        pods_memory_bytes=sum(memory_of(pod) or 0 for pod in pods) if pods else None,
    )


def metrics_usage(item: Mapping[str, Any]) -> NodeUsage:
    """One item of metrics.k8s.io/NodeMetrics."""
    usage = part(item, "usage")
    memory = parse(str(usage.get("memory", "")))
    name = str(part(item, "metadata").get("name", ""))
    return NodeUsage(
        node=name,
        cpu_cores=parse(str(usage.get("cpu", ""))),
        memory_bytes=int(memory) if memory is not None else None,
    )


def metrics_containers(item: Mapping[str, Any]) -> list[ContainerUsage]:
    """The containers of one item of metrics.k8s.io/PodMetrics."""
    meta = part(item, "metadata")
    ref = Ref("Pod", str(meta.get("namespace", "")), str(meta.get("name", "")))
    found = []
    for container in parts(item, "containers"):
        usage = part(container, "usage")
        memory = parse(str(usage.get("memory", "")))
        cores = parse(str(usage.get("cpu", "")))
        held = int(memory) if memory is not None else None
        found.append(ContainerUsage(ref, str(container.get("name", "")), cores, held))
    return found


def container_memory(stats: Mapping[str, Any]) -> dict[tuple[Ref, str], int]:
    """Working set of each container in a stats/summary, in bytes."""
    found: dict[tuple[Ref, str], int] = {}
    for pod in parts(stats, "pods"):
        ref = part(pod, "podRef")
        for container in parts(pod, "containers"):
            memory = memory_of(container)
            if memory is not None:
                where = Ref("Pod", str(ref.get("namespace", "")), str(ref.get("name", "")))
                found[where, str(container.get("name", ""))] = memory
    return found


def container_usage(
    before: list[Series],
    after: list[Series],
    seconds: float,
    memory: Mapping[tuple[Ref, str], int],
    earlier: Mapping[tuple[Ref, str], int],
) -> list[ContainerUsage]:
    """Rates of the containers between two cadvisor scrapes that lie `seconds` apart."""
    grown: dict[tuple[Ref, str], dict[str, float]] = {}
    for each in increases(before, after):
        labels = each.labels
        key = (Ref("Pod", labels.get("namespace", ""), labels.get("pod", "")), labels["container"])
        values = grown.setdefault(key, {})
        values[each.name] = values.get(each.name, 0.0) + each.value
    return [
        ContainerUsage(
            pod=pod,
            container=container,
            cpu_cores=values[CPU_SECONDS] / seconds
            if CPU_SECONDS in values and seconds > 0
            else None,
            memory_bytes=memory.get((pod, container)),
            throttled_periods=values.get(CFS_METRICS[0]),
            periods=values.get(CFS_METRICS[1]),
            memory_bytes_before=earlier.get((pod, container)),
        )
        for (pod, container), values in sorted(grown.items())
    ]


def dns_usage(pod: Ref, grown: list[Series], seconds: float) -> DnsUsage:
    """One DNS pod from the growth of its counters in `seconds`."""
    responses = [each for each in grown if each.name == DNS_METRICS[1]]
    total = sum(each.value for each in responses)
    buckets = [each for each in grown if each.name == DNS_METRICS[2]]
    timed = sum(each.value for each in buckets if each.labels.get("le") == "+Inf")
    within_4s = sum(each.value for each in buckets if each.labels.get("le") in ("4.096", "4"))

    def share(code: str) -> float:
        matching = (each.value for each in responses if each.labels.get("rcode") == code)
        return sum(matching) / total if total else 0.0

    queries = sum(each.value for each in grown if each.name == DNS_METRICS[0])
    return DnsUsage(
        pod=pod,
        queries_per_second=queries / seconds if seconds > 0 else 0.0,
        nxdomain_share=share("NXDOMAIN"),
        servfail_share=share("SERVFAIL"),
        p99_seconds=quantile(0.99, buckets),
        over_4s_share=1 - within_4s / timed if timed and within_4s else None,
    )


def api_server_usage(grown: list[Series]) -> ApiServerUsage:
    """The API server from the growth of its counters; long-running requests are left out of the
    latency. What it passes on to pods, Services, kubelets and aggregated APIs (verb CONNECT, or a
    proxy) is left out of the errors: those are errors of their server."""
    requests = [each for each in grown if each.name == API_METRICS[1] and not _is_passed_on(each)]
    total = sum(each.value for each in requests)
    failed = sum(each.value for each in requests if each.labels.get("code", "").startswith("5"))
    short = [
        each
        for each in grown
        if each.name == API_METRICS[0]
        and each.labels.get("verb") not in ("WATCH", "CONNECT", "WATCHLIST")
    ]
    return ApiServerUsage(
        p99_seconds=quantile(0.99, short),
        error_share=failed / total if total else None,
        etcd_p99_seconds=quantile(0.99, (each for each in grown if each.name == API_METRICS[2])),
    )


def _is_passed_on(series: Series) -> bool:
    labels = series.labels
    return labels.get("verb") == "CONNECT" or labels.get("subresource") == "proxy"


def _cores(value: Mapping[str, Any]) -> float | None:
    nano = number(part(value, "cpu"), "usageNanoCores")
    return nano / 1e9 if nano is not None else None


def memory_of(value: Mapping[str, Any]) -> int | None:
    memory = number(part(value, "memory"), "workingSetBytes")
    return int(memory) if memory is not None else None
