"""Reads metrics beside the objects, where the cluster offers them: kubelet summaries, cadvisor,
CoreDNS, kube-proxy and API server metrics.

All of it is optional and bounded: a few nodes in turn, one round a minute, nothing while the API
server is away, degraded or answers 429. A source that is forbidden is asked again after ten
minutes. A value carries its age; a missing value is reported as a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cluster.api import reads as reading
from cluster.errors import ClusterError
from cluster.health.reach import Reach
from cluster.kube.conditions import is_true
from cluster.kube.objects import Node, Ref
from cluster.kube.prometheus import MetricSample as Series
from cluster.kube.prometheus import increases, samples
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from incident.metrics.documents import parts
from incident.metrics.kube_proxy import KubeProxies
from incident.metrics.usage import (
    API_METRICS,
    CFS_METRICS,
    DNS_METRICS,
    api_server_usage,
    container_memory,
    container_usage,
    dns_usage,
    metrics_containers,
    metrics_usage,
    node_usage,
)
from triage.facts.finding import Gap
from triage.facts.measurements import (
    ApiServerUsage,
    ContainerUsage,
    DnsUsage,
    NodeUsage,
    Sample,
    Sources,
)

NODES = 12
"""Nodes asked in one round; with more they take turns, failing ones first."""
CONCURRENT = 4
PODS_ASKED = 5_000
"""Above this number of pods metrics.k8s.io is asked for nodes only: its answer for all pods would
be a burden."""
DENIED_FOR = timedelta(minutes=10)


@dataclass(slots=True)
class _Scrape:
    at: datetime
    series: list[Series]


@dataclass(slots=True)
class Metrics:
    """Keeps `sources` current while the investigation runs. One instance for each live cluster."""

    live: LiveCluster
    clock: Callable[[], datetime]
    cadence: Cadence
    sources: Sources | None = None
    _scrapes: dict[str, _Scrape] = field(default_factory=dict)
    memory_of: dict[tuple[Ref, str], int] = field(default_factory=dict)
    _containers: dict[str, tuple[datetime, float, list[ContainerUsage]]] = field(
        default_factory=dict
    )
    _nodes: dict[str, tuple[datetime, NodeUsage]] = field(default_factory=dict)
    _denied: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _proxies: KubeProxies | None = None
    _turn: int = 0

    async def run(self, measured: Callable[[], None]) -> None:
        """Measure once a minute until cancelled, and call `measured` after each round. A single
        reading of the cluster ends before the first round."""
        await self.live.wait_loaded(120.0)
        await asyncio.sleep(self.cadence.first_metrics)
        while True:
            if self.live.health.reach is Reach.REACHABLE:
                await self.measure()
                measured()
            await asyncio.sleep(self.cadence.metrics)

    async def measure(self) -> None:
        """Measure once. Never raises because of the cluster."""
        gate = asyncio.Semaphore(CONCURRENT)
        nodes = self._choose()
        await asyncio.gather(*(self._node(node, gate) for node in nodes))
        self._proxies = self._proxies or KubeProxies(self.live, self.clock, self.cadence)
        dns, server, proxies = await asyncio.gather(
            self._dns(), self._api_server(), self._proxies.measure(nodes)
        )
        now = self.clock()
        if not self._nodes:
            await self._metrics_server()
        fresh = now - timedelta(seconds=self.cadence.metrics * 5)
        containers = [each for each in self._containers.values() if each[0] >= fresh]
        usages = [each for each in self._nodes.values() if each[0] >= fresh]
        rows = tuple(row for _, _, found in containers for row in found)
        began = min((at for at, _, _ in containers), default=now)
        read = min((at for at, _ in usages), default=now)
        self.sources = Sources(
            containers=Sample(began, containers[0][1], rows) if containers else None,
            nodes=Sample(read, 0.0, tuple(usage for _, usage in usages)) if usages else None,
            dns=dns,
            api_server=server,
            proxies=proxies,
            gaps=(
                *(Gap(what, why) for what, (_, why) in sorted(self._denied.items())),
                *self._proxies.gaps(),
            ),
        )

    def _choose(self) -> list[str]:
        """Ready nodes in turn. A node with a silent kubelet would only cost a time limit."""
        ready = sorted(
            node.metadata.name for node in self.live.store.all("Node", Node) if _is_ready(node)
        )
        if len(ready) <= NODES:
            return ready
        start = self._turn % len(ready)
        self._turn += NODES
        return (ready + ready)[start : start + NODES]

    async def _ask(self, what: str, ask: Callable[[], Any]) -> Any | None:
        """The answer, or None. Remembers a source that refuses, so that it is not asked again
        soon."""
        denied = self._denied.get(what)
        if denied is not None and self.clock() - denied[0] < DENIED_FOR:
            return None
        try:
            answer = await ask()
        except ClusterError as error:
            if getattr(error, "status", 0) in (401, 403, 404, 405):
                self._denied[what] = (self.clock(), str(error))
            return None
        self._denied.pop(what, None)
        return answer

    # -- nodes

    async def _node(self, node: str, gate: asyncio.Semaphore) -> None:
        api = self.live.api
        async with gate:
            stats = await self._ask(
                "kubelet summaries",
                lambda: reading.node_stats(api, node, timeout=self.cadence.metrics_limit),
            )
            page = await self._ask(
                "cadvisor",
                lambda: reading.node_text(
                    api, node, "metrics/cadvisor", timeout=self.cadence.metrics_limit, cap=16 << 20
                ),
            )
        now = self.clock()
        if stats:
            self._nodes[node] = (now, node_usage(node, stats))
        memory = container_memory(stats or {})
        if page is not None:
            series = [
                each
                for each in await _samples(page[0], CFS_METRICS)
                if each.labels.get("container")
            ]
            before = self._scrapes.get(node)
            self._scrapes[node] = _Scrape(now, series)
            if before is not None:
                seconds = (now - before.at).total_seconds()
                rows = container_usage(before.series, series, seconds, memory, self.memory_of)
                self._containers[node] = (now, seconds, rows)
        self.memory_of.update(memory)

    async def _metrics_server(self) -> None:
        """metrics.k8s.io, when the kubelets may not be asked: usage without limits, throttling or
        system daemons."""
        now, path = self.clock(), "/apis/metrics.k8s.io/v1beta1"

        async def listed(plural: str) -> Any | None:
            limit, what = self.cadence.metrics_limit, f"metrics of {plural}"
            ask = partial(self.live.api.get_json, f"{path}/{plural}", timeout=limit, what=what)
            return await self._ask("metrics.k8s.io", ask)

        nodes = await listed("nodes")
        for item in parts(nodes or {}, "items"):
            usage = metrics_usage(item)
            self._nodes[usage.node] = (now, usage)
        if nodes is not None and self.live.store.count("Pod") <= PODS_ASKED:
            pods = await listed("pods")
            rows = [row for item in parts(pods or {}, "items") for row in metrics_containers(item)]
            if rows:
                self._containers["metrics.k8s.io"] = (now, 0.0, rows)

    # -- DNS and the API server

    async def _dns(self) -> Sample[DnsUsage] | None:
        pods = [
            pod
            for pod in self.live.store.in_namespace("Pod", "kube-system").values()
            if pod.metadata.labels.get("k8s-app") == "kube-dns"
        ]
        found: list[DnsUsage] = []
        seconds = 0.0
        for pod in pods[:4]:
            meta = pod.metadata
            ask = partial(
                reading.pod_text,
                self.live.api,
                meta.namespace,
                meta.name,
                9153,
                "metrics",
                timeout=self.cadence.metrics_limit,
            )
            page = await self._ask("DNS metrics", ask)
            if page is None:
                continue
            now, key = self.clock(), f"dns/{meta.uid}"
            scrape = _Scrape(now, await _samples(page[0], DNS_METRICS))
            before, self._scrapes[key] = self._scrapes.get(key), scrape
            if before is not None:
                seconds = (now - before.at).total_seconds()
                grown = list(increases(before.series, scrape.series))
                found.append(dns_usage(Ref("Pod", meta.namespace, meta.name), grown, seconds))
        return Sample(self.clock(), seconds, tuple(found)) if found else None

    async def _api_server(self) -> Sample[ApiServerUsage] | None:
        page = await self._ask(
            "API server metrics",
            lambda: reading.server_text(
                self.live.api, "/metrics", timeout=self.cadence.metrics_limit, cap=32 << 20
            ),
        )
        if page is None:
            return None
        now = self.clock()
        before = self._scrapes.get("apiserver")
        seconds = (now - before.at).total_seconds() if before is not None else 0.0

        def read() -> tuple[list[Series], ApiServerUsage | None]:
            series = list(samples(page[0], API_METRICS))
            if before is None:
                return series, None
            return series, api_server_usage(list(increases(before.series, series)))

        series, usage = await asyncio.to_thread(read)
        self._scrapes["apiserver"] = _Scrape(now, series)
        return Sample(now, seconds, (usage,)) if usage is not None else None


async def _samples(page: str, names: Sequence[str]) -> list[Series]:
    """Parse a page on a thread: it has up to forty thousand lines, and a key must not wait for
    them."""
    return await asyncio.to_thread(lambda: list(samples(page, names)))


def _is_ready(node: Node) -> bool:
    return is_true(node.status.conditions, "Ready")
