"""Measurements of kubelets and programs: stats/summary, cadvisor, node pages and metrics of pods,
from the pods' requests and the scenario's `stats` and `metrics` rules.

A `stats` rule: `pods` (selection) or `node` (name, glob) with `cpu` (cores) and `memory` (`600Mi`),
each a value or {start, perMinute, since, max}; `throttled` (share of periods); `system` {kubelet:
{memory, cpu}}; `unaccounted` {cpu, memory}; `txPerSecond`; `fs` {used (share)}; `inodes`; `logs`
(bytes). The last rule with a value wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from drills.pods.selection import ZoneOf, matches
from drills.pods.surroundings import PodEnvironment, TimedRule

_NANO = 1_000_000_000
_DISK = 103_865_303_040
_INODES = 6_451_200
_IMAGES = 0.12
"""Share of the disk that images take."""
_POD_WORDS = {"txPerSecond": "tx"} | {w: w for w in ("cpu", "memory", "throttled", "logs")}


@dataclass(frozen=True, slots=True)
class Measurements:
    """Figures of one moment."""

    around: PodEnvironment
    now: datetime
    zone_of: ZoneOf

    def _value(self, spec: Any, at: datetime) -> float:
        """A rule's value now: a plain quantity, or one that grows."""
        if not isinstance(spec, dict):
            return quantity(spec)
        since = at - abs(parse_duration(spec.get("since", "0s")))
        minutes = max(0.0, (self.now - since).total_seconds() / 60)
        grown = quantity(spec["start"]) + quantity(spec.get("perMinute", 0)) * minutes
        return min(grown, quantity(spec["max"])) if "max" in spec else grown

    def _age(self, stamp: str | None) -> float:
        """Seconds since a moment, at least one."""
        return max(1.0, (self.now - parse_time(stamp)).total_seconds()) if stamp else 1.0

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
        for at, rule in self.around.stats:
            if "pods" in rule and matches(pod, rule["pods"], self.zone_of):
                named = {name: rule[word] for word, name in _POD_WORDS.items() if word in rule}
                out |= {name: self._value(spec, at) for name, spec in named.items()}
        return out

    def _of_node(self, node: Obj, pods: list[dict[str, float]]) -> dict[str, float]:
        """cpu and memory of the whole node, kubelet and runtime, shares of disk and inodes."""
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
        for at, rule in self.around.stats:
            if "node" not in rule or not matches(node, {"name": rule["node"]}, self.zone_of):
                continue
            parts = {**rule.get("system", {}), "extra": rule.get("unaccounted", {})}
            named = {
                f"{name}.{word}": v for name, part in parts.items() for word, v in part.items()
            }
            named |= {word: rule[word] for word in ("fs", "inodes") if word in rule}
            out |= {name: self._value(spec, at) for name, spec in named.items()}
        for word in ("cpu", "memory"):
            out[f"pods.{word}"] = sum(p[word] for p in pods)
            own = sum(out[f"{part}.{word}"] for part in ("kubelet", "runtime", "extra"))
            out[word] = out[f"pods.{word}"] + own
        out["memory"] = min(out["memory"], _capacity(node) * 0.995)
        return out

    def summary(self, node: Obj, pods: list[Obj]) -> Obj:
        """stats/summary of one node: stats.k8s.io v1alpha1."""
        used = [self.of_pod(p) for p in pods]
        at, whole = rfc3339(self.now), self._of_node(node, used)
        booted = node["metadata"]["creationTimestamp"]
        up = self._age(booted)
        system = []
        for name in ("kubelet", "runtime", "pods"):
            part = {word: whole[f"{name}.{word}"] for word in ("cpu", "memory")}
            system.append({"name": name, "startTime": booted, **_usage(at, part, up)})
        usage = _usage(at, whole, up)
        free = int(_capacity(node) - usage["memory"]["workingSetBytes"])
        usage["memory"]["availableBytes"] = free
        fs = {
            "time": at,
            "capacityBytes": _DISK,
            "usedBytes": int(_DISK * whole["fs"]),
            "availableBytes": int(_DISK * (1 - whole["fs"])),
            "inodes": _INODES,
            "inodesUsed": int(_INODES * whole["inodes"]),
            "inodesFree": int(_INODES * (1 - whole["inodes"])),
        }
        images = fs | {"usedBytes": int(_DISK * min(_IMAGES, whole["fs"]))}
        return {
            "node": {
                "nodeName": node["metadata"]["name"],
                "systemContainers": system,
                "startTime": booted,
                **usage,
                "fs": fs,
                "runtime": {"imageFs": images, "containerFs": dict(images)},
                "rlimit": {"time": at, "maxpid": 4194304, "curproc": 900 + len(pods) * 11},
            },
            "pods": [self._pod_summary(*pair) for pair in zip(pods, used, strict=True)],
        }

    def _pod_summary(self, pod: Obj, used: dict[str, float]) -> Obj:
        at, started = rfc3339(self.now), dig(pod, "status", "startTime")
        age = self._age(started)
        common = {"startTime": started, **_usage(at, used, age)}

        def disk(used_bytes: int) -> Obj:
            return {"time": at, "usedBytes": used_bytes, "capacityBytes": _DISK}

        logs = disk(int(used["logs"]))
        return {
            "podRef": {k: pod["metadata"][k] for k in ("name", "namespace", "uid")},
            **common,
            "containers": [
                {"name": c["name"], **common, "logs": logs, "rootfs": disk(45_056)}
                for c in pod["spec"]["containers"]
            ],
            "network": {
                "time": at,
                "name": "eth0",
                "rxBytes": int(used["tx"] * 1.4 * age),
                "txBytes": int(used["tx"] * age),
                "rxErrors": 0,
                "txErrors": 0,
            },
            "ephemeral-storage": logs,
        }

    def cadvisor(self, pods: list[Obj]) -> str:
        """metrics/cadvisor in Prometheus text: CPU usage, CFS periods and throttling, quota,
        memory, OOM events."""
        series: dict[str, list[str]] = {}
        stamp = int(self.now.timestamp() * 1000)

        def add(name: str, labels: str, value: float) -> None:
            series.setdefault(name, []).append(f"{name}{{{labels}}} {value:.6g} {stamp}")

        for pod in pods:
            self._add_containers(pod, add)
        out = []
        for name, rows in series.items():
            out += [f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}", *rows]
        return "\n".join(out) + "\n"

    def _add_containers(self, pod: Obj, add: Callable[[str, str, float], None]) -> None:
        meta, used = pod["metadata"], self.of_pod(pod)
        age = self._age(dig(pod, "status", "startTime"))
        statuses = dig(pod, "status", "containerStatuses", default=[])
        ends = [dig(s, "lastState", "terminated", "reason") for s in statuses]
        for container in pod["spec"]["containers"]:
            labels = (
                f'container="{container["name"]}",image="{container["image"]}",'
                f'namespace="{meta["namespace"]}",pod="{meta["name"]}"'
            )
            add("container_cpu_usage_seconds_total", labels + ',cpu="total"', used["cpu"] * age)
            limits, periods = dig(container, "resources", "limits", default={}), age * 10
            if "cpu" in limits:
                throttled = periods * used["throttled"]
                add("container_cpu_cfs_periods_total", labels, periods)
                add("container_cpu_cfs_throttled_periods_total", labels, throttled)
                add("container_cpu_cfs_throttled_seconds_total", labels, throttled * 0.05)
                add("container_spec_cpu_quota", labels, quantity(limits["cpu"]) * 100_000)
                add("container_spec_cpu_period", labels, 100_000)
            add("container_memory_working_set_bytes", labels, used["memory"])
            if "memory" in limits:
                add("container_spec_memory_limit_bytes", labels, quantity(limits["memory"]))
            add("container_oom_events_total", labels, ends.count("OOMKilled"))

    def counters(self, pod: Obj, port: int, path: str) -> str | None:
        """Metrics text of a pod's port from the `metrics` rules; None without a rule for it.

        A rule: pods, port, path (metrics), series {`name{labels}`: value or {start, perSecond,
        since}}, body (a text, {now} in it).
        """
        found: dict[str, float] = {}
        known, body, now = False, "", rfc3339(self.now)
        first = dig(pod, "status", "containerStatuses", 0, "state", "running", "startedAt")
        begun = parse_time(first or now)
        for at, rule in self.around.metrics:
            page = (int(rule.get("port", 0)), str(rule.get("path", "metrics")).strip("/"))
            if "pods" not in rule or page != (port, path.strip("/")):
                continue
            if not matches(pod, rule["pods"], self.zone_of):
                continue
            known = True
            body = str(rule.get("body", body)).replace("{now}", now)
            for name, value in rule.get("series", {}).items():
                found[name] = self._counter(value, at, begun)
        text = "".join(f"{name} {value:.10g}\n" for name, value in found.items())
        return (body or text) if known else None

    def _counter(self, spec: Any, at: datetime, begun: datetime) -> float:
        if not isinstance(spec, dict):
            return float(spec)
        since = at - abs(parse_duration(spec["since"])) if "since" in spec else begun
        seconds = max(0.0, (self.now - since).total_seconds())
        return float(spec.get("start", 0)) + float(spec.get("perSecond", 0)) * seconds


def _capacity(node: Obj) -> float:
    return quantity(dig(node, "status", "capacity", "memory", default="32Gi"))


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


def node_page(rules: list[TimedRule], node: str, path: str) -> str:
    """A page of a kubelet (`metrics`, `logs/…`) from the `metrics` rules that name the node."""
    mine = [
        rule
        for _, rule in rules
        if rule.get("node") == node and path.startswith(str(rule.get("path", "metrics")))
    ]
    return "".join(
        str(rule.get("body", "")) + "".join(f"{k} {v}\n" for k, v in rule.get("series", {}).items())
        for rule in mine
    )
