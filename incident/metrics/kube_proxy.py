"""kube-proxy of each node, through the pod proxy: whether the rules that it writes keep up with
Services and endpoints.

Its metrics listen on 127.0.0.1:10249 unless metricsBindAddress says otherwise, so they are often
out of reach: then its health port (10256, on all addresses by default) still says whether an update
waits for longer than it should (kubernetes pkg/proxy/healthcheck). All times that are compared come
from kube-proxy's own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from cluster.api import reads as reading
from cluster.errors import ApiError, ClusterError
from cluster.kube.objects import Pod, Ref
from cluster.kube.prometheus import MetricSample as Series
from cluster.kube.prometheus import increases, quantile, samples
from cluster.kube.text import NOT_JSON
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from triage.facts.finding import Gap
from triage.facts.measurements import ProxyUsage, Sample

METRICS_PORT = 10249
HEALTH_PORT = 10256
CONCURRENT = 4
AGAIN = timedelta(minutes=10)
"""Time after which metrics that could not be reached are tried again."""
FRESH = timedelta(minutes=5)
NAMESPACE = "kube-system"

_SYNCED = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
_QUEUED = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds"
_DURATION = "kubeproxy_sync_proxy_rules_duration_seconds_bucket"
_PROGRAMMING = "kubeproxy_network_programming_duration_seconds_bucket"
_PENDING = "kubeproxy_sync_proxy_rules_endpoint_changes_pending"
_FAILURES = (
    "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
    "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
)
_NAMES = (_SYNCED, _QUEUED, _DURATION, _PROGRAMMING, _PENDING, *_FAILURES)
_LOOPBACK = (
    "nothing answers on port 10249 of the nodes: kube-proxy keeps its metrics to the node itself "
    "unless metricsBindAddress opens them"
)


@dataclass(frozen=True, slots=True)
class _Scrape:
    at: datetime
    series: tuple[Series, ...]


class _ProxierHealth(msgspec.Struct, frozen=True):
    lastUpdated: datetime | None = None
    healthy: bool = True


class _Health(msgspec.Struct, frozen=True):
    lastUpdated: datetime | None = None
    currentTime: datetime | None = None
    nodeEligible: bool | None = None
    healthy: bool | None = None
    status: dict[str, _ProxierHealth] = {}


@dataclass(slots=True)
class KubeProxies:
    """Answers of the kube-proxies, kept over rounds. One instance for each live cluster."""

    live: LiveCluster
    clock: Callable[[], datetime]
    cadence: Cadence
    _scrapes: dict[Ref, _Scrape] = field(default_factory=dict)
    _found: dict[Ref, tuple[datetime, float, ProxyUsage]] = field(default_factory=dict)
    _closed: datetime | None = None
    """The time when every metrics port was found closed."""
    _denied: tuple[datetime, str] | None = None

    async def measure(self, nodes: Iterable[str]) -> Sample[ProxyUsage] | None:
        """Measure the kube-proxies of these nodes once. None when there is none or none may be
        read. Never raises because of the cluster."""
        wanted = set(nodes)
        pods = [pod for pod in kube_proxies(self.live) if pod.spec.node_name in wanted]
        if self._denied is not None and self.clock() - self._denied[0] < AGAIN:
            pods = []
        if self._closed is not None and self.clock() - self._closed >= AGAIN:
            self._closed = None
        if pods and self._closed is None:
            await self._find_open_port(pods)
        gate = asyncio.Semaphore(CONCURRENT)
        await asyncio.gather(*(self._one(pod, gate) for pod in pods))
        now = self.clock()
        self._found = {
            ref: kept
            for ref, kept in self._found.items()
            if now - kept[0] <= FRESH and self.live.store.get(*ref) is not None
        }
        kept = list(self._found.values())
        if not kept:
            return None
        return Sample(
            min(at for at, _, _ in kept),
            max(seconds for _, seconds, _ in kept),
            tuple(usage for _, _, usage in kept),
        )

    def gaps(self) -> tuple[Gap, ...]:
        """What could not be measured. Metrics listen on the node's loopback by default, so that gap
        is not reported."""
        if self._denied is not None:
            return (Gap("kube-proxy", self._denied[1]),)
        if self._closed is None:
            return ()
        return (Gap("kube-proxy metrics", f"not measured: {_LOOPBACK}", quiet=True),)

    async def _find_open_port(self, pods: list[Pod]) -> None:
        """Find out whether the metrics ports are closed by asking two pods; skipped when a port
        answered before."""
        if any(_ref(pod) in self._scrapes for pod in pods):
            return
        for pod in pods[:2]:
            if await self._page(pod, METRICS_PORT, "metrics") is not None:
                return
        if self._denied is None:
            self._closed = self.clock()

    async def _one(self, pod: Pod, gate: asyncio.Semaphore) -> None:
        ref = _ref(pod)
        async with gate:
            health = await self._page(pod, HEALTH_PORT, "healthz")
            page = await self._page(pod, METRICS_PORT, "metrics") if self._closed is None else None
        if self._denied is not None:
            return
        now, seconds = self.clock(), 0.0
        after = _Scrape(now, tuple(samples(page, _NAMES))) if page is not None else None
        before = self._scrapes.get(ref)
        if after is not None:
            self._scrapes[ref] = after
            seconds = (now - before.at).total_seconds() if before is not None else 0.0
        earlier = before.series if before is not None and after is not None else ()
        later = after.series if after is not None else None
        usage = proxy_usage(ref, pod.spec.node_name, health, earlier, later, seconds)
        self._found[ref] = (now, seconds, usage)

    async def _page(self, pod: Pod, port: int, path: str) -> str | None:
        """The text of a page, also of an answer 503 that kube-proxy itself wrote; None without an
        answer."""
        api, meta, limit = self.live.api, pod.metadata, self.cadence.metrics_limit
        try:
            page, _ = await reading.pod_text(
                api, meta.namespace, meta.name, port, path, timeout=limit
            )
            return page
        except ApiError as error:
            if error.status in (401, 403):
                self._denied = (self.clock(), str(error))
            return error.detail if error.detail.startswith("{") else None
        except ClusterError:
            return None


def kube_proxies(live: LiveCluster) -> list[Pod]:
    """The running kube-proxy pods, DaemonSet or static, found by image or by the labels of kubeadm
    and the clouds."""
    return [
        pod
        for _, pod in sorted(live.store.in_namespace("Pod", NAMESPACE).items())
        if pod.spec.node_name and pod.status.phase == "Running" and _is_kube_proxy(pod)
    ]


def _is_kube_proxy(pod: Pod) -> bool:
    labels = pod.metadata.labels
    if labels.get("k8s-app") == "kube-proxy" or labels.get("component") == "kube-proxy":
        return True
    return any("/kube-proxy" in container.image for container in pod.spec.containers)


def proxy_usage(
    pod: Ref,
    node: str,
    health: str | None,
    before: Iterable[Series],
    after: Iterable[Series] | None,
    seconds: float,
) -> ProxyUsage:
    """One kube-proxy from its health page and from two scrapes that lie `seconds` apart. Each may
    be missing."""
    waits = overdue(health)
    if after is None:
        return ProxyUsage(pod, node, answers=health is not None, overdue_seconds=waits)
    earlier, later = list(before), list(after)
    stuck = [lag for lag in _lags(earlier, later, seconds) if lag is not None]
    grown = list(increases(earlier, later))
    failed = [each.value for each in grown if each.name in _FAILURES]
    pending = [each.value for each in later if each.name == _PENDING]
    return ProxyUsage(
        pod,
        node,
        answers=True,
        overdue_seconds=max([*stuck, *([waits] if waits is not None else [])], default=None),
        failures=int(sum(failed)) if failed else None,
        pending=int(sum(pending)) if pending else None,
        sync_p99_seconds=quantile(0.99, (each for each in grown if each.name == _DURATION)),
        programming_p99_seconds=quantile(
            0.99, (each for each in grown if each.name == _PROGRAMMING)
        ),
    )


def overdue(health: str | None) -> float | None:
    """Seconds since the last update when the health page reports it as late; 0.0 when all is well,
    None when the page does not say.

    Older releases give only lastUpdated and currentTime. A node that is being removed (not
    eligible) is not a fault of kube-proxy.
    """
    if health is None:
        return None
    try:
        page = msgspec.json.decode(health.encode(), type=_Health)
    except NOT_JSON:
        return None
    if page.currentTime is None:
        return None
    late = [
        each.lastUpdated
        for each in page.status.values()
        if not each.healthy and each.lastUpdated is not None
    ]
    if not page.status and page.lastUpdated is not None and page.nodeEligible is not False:
        behind = (page.currentTime - page.lastUpdated).total_seconds()
        return behind if behind > 1 else 0.0
    return max(((page.currentTime - at).total_seconds() for at in late), default=0.0)


def _lags(before: list[Series], after: list[Series], seconds: float) -> Iterable[float | None]:
    """By address family: how long a change has waited that was queued before the first scrape and
    not written at the second."""
    synced, queued = _values(before, _SYNCED), _values(before, _QUEUED)
    synced_now, queued_now = _values(after, _SYNCED), _values(after, _QUEUED)
    for family, at in synced_now.items():
        if synced.get(family) == at and queued.get(family, 0.0) > at:
            yield max(seconds, queued_now.get(family, 0.0) - at)
        elif family in synced:
            yield 0.0


def _values(series: Iterable[Series], name: str) -> dict[str, float]:
    return {each.labels.get("ip_family", ""): each.value for each in series if each.name == name}


def _ref(pod: Pod) -> Ref:
    return Ref("Pod", pod.metadata.namespace, pod.metadata.name)
