"""Measurements from outside the objects: metrics.k8s.io, kubelet summary, cadvisor, the API
server's, CoreDNS' and kube-proxy's /metrics, logs.

Each is optional and carries the time of its sample; None means that it is missing (not installed,
forbidden, not read). Rates come from two scrapes and carry the seconds between them. This module
fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from cluster.kube.objects import Condition, Ref
from triage.facts.finding import Evidence, Gap

if TYPE_CHECKING:
    # Its patterns take 10 ms, which the first finding would wait for.
    from triage.logs.classify import Classification

T = TypeVar("T")


class ContainerUsage(msgspec.Struct, frozen=True):
    """One container over the time between two scrapes. Cores and bytes; None where the source does
    not say."""

    pod: Ref
    container: str
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    """Working set."""
    throttled_periods: float | None = None
    """Throttled periods between the scrapes."""
    periods: float | None = None
    memory_bytes_before: int | None = None
    """Working set at the first scrape."""


class NodeUsage(msgspec.Struct, frozen=True):
    """One node, from its kubelet's stats/summary. Cores and bytes."""

    node: str
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    kubelet_memory_bytes: int | None = None
    kubelet_cpu_cores: float | None = None
    runtime_memory_bytes: int | None = None
    runtime_cpu_cores: float | None = None
    pods_cpu_cores: float | None = None
    pods_memory_bytes: int | None = None


class DnsUsage(msgspec.Struct, frozen=True):
    """One DNS pod between two scrapes of its /metrics."""

    pod: Ref
    queries_per_second: float
    nxdomain_share: float
    servfail_share: float = 0.0
    p99_seconds: float | None = None
    over_4s_share: float | None = None


class ProxyUsage(msgspec.Struct, frozen=True):
    """One kube-proxy: its health page, and what its metrics grew by between two scrapes where they
    can be reached."""

    pod: Ref
    node: str
    answers: bool = True
    """Whether its health or its metrics port answered."""
    overdue_seconds: float | None = None
    """How long a change of Services or endpoints has waited to be written; 0 when none is late,
    None when it is not known."""
    failures: int | None = None
    """Writes of iptables or nftables rules that failed between the scrapes."""
    pending: int | None = None
    """Changes of endpoints not yet written."""
    sync_p99_seconds: float | None = None
    programming_p99_seconds: float | None = None
    """From the change of a Service or an endpoint to its rules."""


class LogActivity(msgspec.Struct, frozen=True):
    """What one DaemonSet pod wrote and did in the last `seconds`."""

    pod: Ref
    node: str
    lines: int | None
    seconds: float
    cpu_cores: float | None = None
    network_tx_bytes: float | None = None


class LastWords(msgspec.Struct, frozen=True):
    """The tail of one container's log, redacted and classified where it was read."""

    pod: Ref
    container: str
    verdict: Classification | None
    """None when no sentence decides."""
    last_line: str = ""
    previous: bool = False
    """Whether this is the log of the previous run."""
    read: datetime | None = None
    """When it was read, where a newer log of the container was not answered in time."""


class Definition(msgspec.Struct, frozen=True):
    """One CustomResourceDefinition, beyond its metadata."""

    name: str
    kind: str = ""
    conditions: tuple[Condition, ...] = ()
    conversion: Ref | None = None
    """The Service of its conversion webhook."""


class PodDisk(msgspec.Struct, frozen=True):
    """What one pod holds of the file systems of its node, in bytes and inodes."""

    pod: Ref
    logs_bytes: int = 0
    files_bytes: int = 0
    """Writable layers of its containers and emptyDir volumes."""
    inodes: int = 0

    @property
    def bytes(self) -> int:
        """Logs and files."""
        return self.logs_bytes + self.files_bytes


class DiskUsage(msgspec.Struct, frozen=True):
    """The file system of a node that has the least room, from its kubelet's stats/summary."""

    node: str
    capacity_bytes: int
    available_bytes: int
    images_bytes: int
    """0 where images lie on another file system."""
    pods: tuple[PodDisk, ...]
    """Without logs where only images and writable layers lie on it."""
    inodes_free: float | None = None
    """Share of the inodes."""


class ApiServerUsage(msgspec.Struct, frozen=True):
    """The API server between two scrapes, and its readiness checks."""

    p99_seconds: float | None = None
    error_share: float | None = None
    etcd_p99_seconds: float | None = None
    failed_checks: tuple[str, ...] = ()
    """Names of the /readyz checks that fail, such as `etcd`."""


class Sample(msgspec.Struct, Generic[T], frozen=True):
    """Values of one source: when they were taken (UTC) and over how many seconds (0 for a single
    look)."""

    at: datetime
    seconds: float
    values: tuple[T, ...]

    def evidence(self, text: str) -> Evidence:
        """What the sample says, with its time and the seconds that it covers."""
        over = f" over {self.seconds:.0f} s" if self.seconds else ""
        return Evidence(f"measured{over}", text, self.at)


class Sources(msgspec.Struct, frozen=True):
    """Everything measured. A source that was asked and failed stands in `gaps`."""

    containers: Sample[ContainerUsage] | None = None
    nodes: Sample[NodeUsage] | None = None
    dns: Sample[DnsUsage] | None = None
    logs: Sample[LogActivity] | None = None
    api_server: Sample[ApiServerUsage] | None = None
    proxies: Sample[ProxyUsage] | None = None
    last_words: Sample[LastWords] | None = None
    definitions: Sample[Definition] | None = None
    disks: Sample[DiskUsage] | None = None
    gaps: tuple[Gap, ...] = ()
    log_owners: Mapping[Ref, Ref] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    """DaemonSet by pod, where the store does not say it."""


def median(values: Iterable[float]) -> float:
    """The median of at least one value; raises statistics.StatisticsError without any. Imports its
    module late: the import takes 8 ms, and a first report has measured nothing."""
    import statistics

    return statistics.median(values)
