"""What kubelets measure: stats/summary, cadvisor and node logs, from the pods' requests and the
scenario's `stats` rules.

A rule: `pods` (selection) or `node` (name, glob) with `cpu` (cores) and `memory` (`600Mi`), each a
value or {start, perMinute, since, max}; `throttled` (share of periods); `system` {kubelet: {memory,
cpu}}; `unaccounted` {cpu, memory};
`txPerSecond`; `fs` {used (share)}; `inodes`; `logs` (bytes). The last rule that speaks about a
value wins.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drills.api.objects import (
    Obj,
    dig,
    parse_duration,
    parse_time,
    quantity,
    rfc3339,
    stable_fraction,
)
from drills.api.surroundings import Surroundings
from drills.api.world import matches

_NANO = 1_000_000_000


class Measurements:
    """Answers for one moment. `zone` maps a node name to its zone."""

    def __init__(self, around: Surroundings, now: datetime, zone: Any) -> None:
        self._around, self._now, self._zone = around, now, zone

    def value(self, spec: Any, at: datetime) -> float:
        """A rule's value at this moment: a plain quantity, or one that grows."""
        if not isinstance(spec, dict):
            return quantity(spec)
        since = at - abs(parse_duration(spec.get("since", "0s")))
        minutes = max(0.0, (self._now - since).total_seconds() / 60)
        grown = quantity(spec["start"]) + quantity(spec.get("perMinute", 0)) * minutes
        return min(grown, quantity(spec["max"])) if "max" in spec else grown

    def of_pod(self, pod: Obj) -> dict[str, float]:
        """cpu (cores), memory (bytes), throttled (share), tx (bytes/s), logs (bytes) of a pod."""
        requests = [dig(c, "resources", "requests", default={}) for c in pod["spec"]["containers"]]
        vary = 0.45 + 0.35 * stable_fraction("usage", pod["metadata"]["name"])
        out = {
            "cpu": sum(quantity(r.get("cpu", "20m")) for r in requests) * vary,
            "memory": sum(quantity(r.get("memory", "60Mi")) for r in requests) * (0.5 + 0.5 * vary),
            "throttled": 0.004 * vary,
            "tx": 9_000 * vary,
            "logs": 2.0e6 * (1 + vary),
        }
        for at, rule in self._around.stats:
            if "pods" in rule and matches(pod, rule["pods"], self._zone):
                for word, name in (
                    ("cpu", "cpu"),
                    ("memory", "memory"),
                    ("throttled", "throttled"),
                    ("txPerSecond", "tx"),
                    ("logs", "logs"),
                ):
                    if word in rule:
                        out[name] = self.value(rule[word], at)
        return out

    def of_node(self, node: Obj, pods: list[Obj]) -> dict[str, float]:
        """cpu and memory of the whole node, kubelet and runtime, share of disk used."""
        used = [self.of_pod(p) for p in pods]
        out = {
            "kubelet.memory": 95e6 + 30e6 * stable_fraction("kubelet", node["metadata"]["name"]),
            "kubelet.cpu": 0.06,
            "runtime.memory": 210e6,
            "runtime.cpu": 0.05,
            "extra.cpu": 0.08,
            "extra.memory": 420e6,
            "fs": 0.34,
            "inodes": 0.06,
        }
        for at, rule in self._around.stats:
            if "node" not in rule or not matches(node, {"name": rule["node"]}, self._zone):
                continue
            for name, part in rule.get("system", {}).items():
                for word, value in part.items():
                    out[f"{name}.{word}"] = self.value(value, at)
            for word, value in rule.get("unaccounted", {}).items():
                out[f"extra.{word}"] = self.value(value, at)
            for word in ("fs", "inodes"):
                if word in rule:
                    out[word] = self.value(rule[word], at)
        for word in ("cpu", "memory"):
            out[word] = (
                sum(u[word] for u in used)
                + out[f"kubelet.{word}"]
                + out[f"runtime.{word}"]
                + out[f"extra.{word}"]
            )
        capacity = quantity(dig(node, "status", "capacity", "memory", default="32Gi"))
        out["memory"] = min(out["memory"], capacity * 0.995)
        return out


def summary(measured: Measurements, node: Obj, pods: list[Obj], now: datetime) -> Obj:
    """stats/summary of one node: stats.k8s.io v1alpha1."""
    at = rfc3339(now)
    whole = measured.of_node(node, pods)
    capacity = quantity(dig(node, "status", "capacity", "memory", default="32Gi"))
    booted = node["metadata"]["creationTimestamp"]
    disk = 103_865_303_040
    rows = []
    for pod in pods:
        used = measured.of_pod(pod)
        age = max(
            1.0, (now - parse_time(dig(pod, "status", "startTime", default=at))).total_seconds()
        )
        containers = [
            {
                "name": c["name"],
                "startTime": dig(pod, "status", "startTime"),
                **_usage(at, used, age),
                "logs": {"time": at, "usedBytes": int(used["logs"]), "capacityBytes": disk},
                "rootfs": {"time": at, "usedBytes": 45_056, "capacityBytes": disk},
            }
            for c in pod["spec"]["containers"]
        ]
        rows.append(
            {
                "podRef": {
                    "name": pod["metadata"]["name"],
                    "namespace": pod["metadata"]["namespace"],
                    "uid": pod["metadata"]["uid"],
                },
                "startTime": dig(pod, "status", "startTime"),
                "containers": containers,
                **_usage(at, used, age),
                "network": {
                    "time": at,
                    "name": "eth0",
                    "rxBytes": int(used["tx"] * 1.4 * age),
                    "txBytes": int(used["tx"] * age),
                    "rxErrors": 0,
                    "txErrors": 0,
                },
                "ephemeral-storage": {
                    "time": at,
                    "usedBytes": int(used["logs"]),
                    "capacityBytes": disk,
                },
            }
        )
    up = max(1.0, (now - parse_time(booted)).total_seconds())
    system = [
        {
            "name": name,
            "startTime": booted,
            **_usage(at, {"cpu": whole[f"{name}.cpu"], "memory": whole[f"{name}.memory"]}, up),
        }
        for name in ("kubelet", "runtime")
    ]
    system.append(
        {
            "name": "pods",
            "startTime": booted,
            **_usage(
                at,
                {
                    "cpu": sum(measured.of_pod(p)["cpu"] for p in pods),
                    "memory": sum(measured.of_pod(p)["memory"] for p in pods),
                },
                up,
            ),
        }
    )
    cpu = _usage(at, whole, up)
    cpu["memory"]["availableBytes"] = int(capacity - cpu["memory"]["workingSetBytes"])
    fs = {
        "time": at,
        "capacityBytes": disk,
        "usedBytes": int(disk * whole["fs"]),
        "availableBytes": int(disk * (1 - whole["fs"])),
        "inodes": 6_451_200,
        "inodesUsed": int(6_451_200 * whole["inodes"]),
        "inodesFree": int(6_451_200 * (1 - whole["inodes"])),
    }
    return {
        "node": {
            "nodeName": node["metadata"]["name"],
            "systemContainers": system,
            "startTime": booted,
            **cpu,
            "fs": fs,
            "runtime": {"imageFs": dict(fs), "containerFs": dict(fs)},
            "rlimit": {"time": at, "maxpid": 4194304, "curproc": 900 + len(pods) * 11},
        },
        "pods": rows,
    }


def _usage(at: str, used: dict[str, float], age: float) -> Obj:
    memory = int(used["memory"])
    return {
        "cpu": {
            "time": at,
            "usageNanoCores": int(used["cpu"] * _NANO),
            "usageCoreNanoSeconds": int(used["cpu"] * age * _NANO),
        },
        "memory": {
            "time": at,
            "usageBytes": int(memory * 1.2),
            "workingSetBytes": memory,
            "rssBytes": int(memory * 0.9),
            "pageFaults": 1000,
            "majorPageFaults": 0,
        },
    }


def cadvisor(measured: Measurements, pods: list[Obj], now: datetime) -> str:
    """metrics/cadvisor in Prometheus text: CPU usage, CFS periods and throttling, quota, memory,
    OOM events."""
    series: dict[str, list[str]] = {}

    def add(name: str, labels: str, value: float) -> None:
        series.setdefault(name, []).append(
            f"{name}{{{labels}}} {value:.6g} {int(now.timestamp() * 1000)}"
        )

    for pod in pods:
        used = measured.of_pod(pod)
        age = max(
            1.0,
            (
                now - parse_time(dig(pod, "status", "startTime", default=rfc3339(now)))
            ).total_seconds(),
        )
        for container in pod["spec"]["containers"]:
            labels = (
                f'container="{container["name"]}",image="{container["image"]}",namespace="'
                f'{pod["metadata"]["namespace"]}",pod="{pod["metadata"]["name"]}"'
            )
            add("container_cpu_usage_seconds_total", labels + ',cpu="total"', used["cpu"] * age)
            limit = dig(container, "resources", "limits", "cpu")
            if limit:
                periods = age * 10
                add("container_cpu_cfs_periods_total", labels, periods)
                add(
                    "container_cpu_cfs_throttled_periods_total", labels, periods * used["throttled"]
                )
                add(
                    "container_cpu_cfs_throttled_seconds_total",
                    labels,
                    periods * used["throttled"] * 0.05,
                )
                add("container_spec_cpu_quota", labels, quantity(limit) * 100_000)
                add("container_spec_cpu_period", labels, 100_000)
            add("container_memory_working_set_bytes", labels, used["memory"])
            if memory := dig(container, "resources", "limits", "memory"):
                add("container_spec_memory_limit_bytes", labels, quantity(memory))
            restarts = sum(
                1
                for s in dig(pod, "status", "containerStatuses", default=[])
                if dig(s, "lastState", "terminated", "reason") == "OOMKilled"
            )
            add("container_oom_events_total", labels, restarts)
    out = []
    for name, rows in series.items():
        out += [f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}", *rows]
    return "\n".join(out) + "\n"


def counters(
    around: Surroundings, pod: Obj, port: int, path: str, now: datetime, zone: Any
) -> str | None:
    """Metrics text of a pod's port from the scenario's `metrics` rules and the known programs; None
    when nothing listens.

    A rule: pods, port, path (metrics), series {`name{labels}`: value or {start, perSecond, since}},
    body (a text, {now} in it)."""
    found: dict[str, float] = {}
    known, body = False, ""
    for at, rule in [*((now, r) for r in _KNOWN), *around.metrics]:
        if int(rule["port"]) != port or not matches(pod, rule["pods"], zone):
            continue
        if str(rule.get("path", "metrics")).strip("/") != path.strip("/"):
            continue
        known = True
        if "body" in rule:
            body = str(rule["body"]).replace("{now}", rfc3339(now))
        begun = parse_time(
            dig(
                pod,
                "status",
                "containerStatuses",
                0,
                "state",
                "running",
                "startedAt",
                default=rfc3339(now),
            )
        )
        for name, value in rule.get("series", {}).items():
            if isinstance(value, dict):
                since = at - abs(parse_duration(value["since"])) if "since" in value else begun
                found[name] = float(value.get("start", 0)) + float(value.get("perSecond", 0)) * max(
                    0.0, (now - since).total_seconds()
                )
            else:
                found[name] = float(value)
    return (
        body or "".join(f"{name} {value:.10g}\n" for name, value in found.items())
        if known
        else None
    )


_KNOWN: list[dict[str, Any]] = [
    {
        "pods": {"namespace": "kube-system", "app": "coredns"},
        "port": 9153,
        "series": {
            'coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="A",zone="."}': {
                "perSecond": 61
            },
            'coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="AAAA",zone="."}': {
                "perSecond": 59
            },
            'coredns_dns_responses_total{rcode="NOERROR",server="dns://:53",zone="."}': {
                "perSecond": 92
            },
            'coredns_dns_responses_total{rcode="NXDOMAIN",server="dns://:53",zone="."}': {
                "perSecond": 28
            },
            'coredns_cache_hits_total{server="dns://:53",type="success",zones="."}': {
                "perSecond": 97
            },
            'coredns_cache_misses_total{server="dns://:53",zones="."}': {"perSecond": 23},
            "coredns_forward_healthcheck_broken_total": 0,
            "coredns_forward_max_concurrent_rejects_total": 0,
            "coredns_panics_total": 0,
            "process_resident_memory_bytes": 52e6,
        },
    },
    {
        "pods": {"namespace": "logging", "app": "log-shipper"},
        "port": 2020,
        "path": "api/v1/metrics/prometheus",
        "series": {
            'fluentbit_input_records_total{name="tail.0"}': {"perSecond": 41},
            'fluentbit_output_proc_records_total{name="forward.0"}': {"perSecond": 41},
            'fluentbit_output_retries_failed_total{name="forward.0"}': 0,
            'fluentbit_output_errors_total{name="forward.0"}': 0,
        },
    },
    {
        "pods": {"namespace": "kube-system", "app": "kube-router"},
        "port": 20241,
        "series": {
            "kube_router_controller_policy_chains": 164,
            "kube_router_controller_policy_ipsets": 122,
            "kube_router_controller_iptables_sync_time_count": {"perSecond": 0.003},
        },
    },
    # kube-proxy keeps its metrics (10249) to the node itself, as everywhere by default; its health
    # page is open
    {
        "pods": {"namespace": "kube-system", "app": "kube-proxy"},
        "port": 10256,
        "path": "healthz",
        "body": '{"lastUpdated":"{now}","currentTime":"{now}","nodeEligible":true,"healthy":true,'
        '"status":{"IPv4":{"lastUpdated":"{now}","healthy":true},"IPv6":{"lastUpdated":"{now}","healthy":true}}}',
    },
    {
        "pods": {"namespace": "kube-system", "app": "kube-router"},
        "port": 20244,
        "path": "healthz",
        "body": "OK\n",
    },
    {
        "pods": {"namespace": "nginx", "app": "ingress-nginx-controller"},
        "port": 10254,
        "series": {
            'nginx_ingress_controller_requests{status="200"}': {"perSecond": 210},
            'nginx_ingress_controller_requests{status="502"}': {"perSecond": 0.02},
            'nginx_ingress_controller_nginx_process_connections{state="active"}': 640,
        },
    },
]
