"""Statuses that controllers write from the pods: counts, conditions, endpoints, budgets. Pure: used
when a scenario is expanded and while it is served."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import (
    Obj,
    condition,
    controller_of,
    created_at,
    dig,
    holds,
    is_active,
    new_condition,
    parse_time,
    rfc3339,
    target_port,
    zone_of,
)
from drills.api.selectors import matches_selector
from drills.controllers.new_objects import revision_of

Of = Callable[[str], Iterable[Obj]]
"""The objects of a kind."""
_SETTLED = timedelta(seconds=30)
"""How long after its creation or rollout a Deployment becomes complete."""


def status_updates(of: Of, now: datetime) -> list[tuple[Obj, Obj]]:
    """(object, top-level fields to replace) for everything with a status that no longer fits its
    pods."""
    return [
        (obj, fields)
        for obj, fields in _statuses(of, now)
        if any(obj.get(k) != v for k, v in fields.items())
    ]


def _statuses(of: Of, now: datetime) -> Iterator[tuple[Obj, Obj]]:
    owned: dict[str, list[Obj]] = defaultdict(list)
    by_namespace: dict[str, list[Obj]] = defaultdict(list)
    for pod in of("Pod"):
        by_namespace[pod["metadata"].get("namespace", "")].append(pod)
        if ref := controller_of(pod):
            owned[ref["uid"]].append(pod)
    sets: dict[str, list[Obj]] = defaultdict(list)
    for replicas in of("ReplicaSet"):
        status = _replica_set(replicas, owned[replicas["metadata"]["uid"]])
        yield replicas, {"status": status}
        if ref := controller_of(replicas):
            sets[ref["uid"]].append({**replicas, "status": status})
    for deployment in of("Deployment"):
        mine = sets[deployment["metadata"]["uid"]]
        yield deployment, {"status": _deployment(deployment, mine, owned, now)}
    for kind, make in (("StatefulSet", _stateful_set), ("DaemonSet", _daemon_set)):
        for obj in of(kind):
            pods = [p for p in owned[obj["metadata"]["uid"]] if is_active(p)]
            yield obj, {"status": make(obj, pods)}
    jobs: dict[str, list[Obj]] = defaultdict(list)
    for job in of("Job"):
        status = _job(job, owned[job["metadata"]["uid"]])
        yield job, {"status": status}
        if ref := controller_of(job):
            jobs[ref["uid"]].append({**job, "status": status})
    for cron in of("CronJob"):
        if mine := jobs[cron["metadata"]["uid"]]:
            yield cron, {"status": _cron_job(cron, mine)}
    services = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in of("Service")}
    zones = {n["metadata"]["name"]: zone_of(n) for n in of("Node")}
    for part in of("EndpointSlice"):
        meta = part["metadata"]
        name = meta["labels"].get("kubernetes.io/service-name", "")
        service = services.get((meta["namespace"], name))
        if service is not None and service["spec"].get("selector"):
            yield part, _endpoint_slice(part, service, by_namespace[meta["namespace"]], zones)
    for budget in of("PodDisruptionBudget"):
        pods = by_namespace[budget["metadata"]["namespace"]]
        yield budget, {"status": _budget(budget, pods, now)}


def _without_zeros(counts: Obj, *names: str) -> Obj:
    """Counts of zero are left out, as the API does."""
    return {k: v for k, v in counts.items() if v != 0 or k not in names}


def _ready(pods: list[Obj]) -> int:
    return sum(holds(p, "Ready") for p in pods)


def _replica_set(replicas: Obj, pods: list[Obj]) -> Obj:
    active = [p for p in pods if is_active(p)]
    total, ready = len(active), _ready(active)
    counts: Obj = {
        "replicas": total,
        "fullyLabeledReplicas": total,
        "observedGeneration": replicas["metadata"].get("generation", 1),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    out = _without_zeros(counts, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    failure = condition(replicas, "ReplicaFailure")
    return {**out, "conditions": [failure]} if failure else out


def _share(value: Any, of: int, *, up: bool) -> int:
    """An IntOrString of a rolling update or budget as a number of pods."""
    if isinstance(value, str) and value.endswith("%"):
        exact = of * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def _deployment(
    deployment: Obj, sets: list[Obj], owned: dict[str, list[Obj]], now: datetime
) -> Obj:
    spec, meta = deployment["spec"], deployment["metadata"]
    want = int(spec.get("replicas", 1))
    newest = max(sets, key=revision_of, default=None)
    total = sum(int(s["status"].get("replicas", 0)) for s in sets)
    ready = sum(int(s["status"].get("readyReplicas", 0)) for s in sets)
    updated = int(newest["status"].get("replicas", 0)) if newest else 0
    most = "25%"
    if dig(spec, "strategy", "type") != "Recreate":
        most = dig(spec, "strategy", "rollingUpdate", "maxUnavailable", default="25%")
    available = ready >= want - _share(most, want, up=False)
    counts: Obj = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(want, total) - ready,
    }
    settled = rfc3339(created_at(deployment) + _SETTLED)
    fell = settled
    if not available:
        pods = [p for s in sets for p in owned[s["metadata"]["uid"]] if not holds(p, "Ready")]
        known = condition(deployment, "Available") is not None
        fell = max((_unready_since(p) for p in pods), default=rfc3339(now) if known else settled)
    text = f"Deployment {'has' if available else 'does not have'} minimum availability."
    reason = f"MinimumReplicas{'Available' if available else 'Unavailable'}"
    complete = updated >= want and total == updated and ready >= want
    newest_pods = owned[newest["metadata"]["uid"]] if newest else []
    failure = condition(newest, "ReplicaFailure")
    return {
        **_without_zeros(counts, *counts),
        "observedGeneration": meta.get("generation", 1),
        "conditions": [
            _kept(deployment, "Available", available, reason, text, fell),
            _progressing(deployment, newest or deployment, complete, newest_pods, now),
            *([failure] if failure else []),
        ],
    }


def _unready_since(pod: Obj) -> str:
    """When a pod that is not ready lost readiness; the creation of one that never ran."""
    found = condition(pod, "Ready") or {}
    return str(found.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def _was_ready(pod: Obj) -> bool:
    """A pod that is ready, or was after its creation."""
    found = condition(pod, "Ready")
    if found is None or not found.get("lastTransitionTime"):
        return False
    age = parse_time(found["lastTransitionTime"]) - created_at(pod)
    return found["status"] == "True" or age > timedelta(seconds=60)


def _progressing(
    deployment: Obj, newest: Obj, complete: bool, pods: list[Obj], now: datetime
) -> Obj:
    name, rolled = newest["metadata"]["name"], created_at(newest)
    succeeded = f'ReplicaSet "{name}" has successfully progressed.'
    old = condition(deployment, "Progressing") or {}
    done = (old.get("reason"), old.get("message")) == ("NewReplicaSetAvailable", succeeded)
    wanted, age = int(deployment["spec"].get("replicas", 1)), now - rolled
    # A rollout that finished before its pods failed stays finished.
    finished = age > timedelta(hours=1) or sum(_was_ready(p) for p in pods) >= wanted

    def progressing(value: bool, reason: str, message: str, after: timedelta) -> Obj:
        return _kept(deployment, "Progressing", value, reason, message, rfc3339(rolled + after))

    if complete or done or finished:
        return progressing(True, "NewReplicaSetAvailable", succeeded, _SETTLED)
    if age > timedelta(seconds=int(deployment["spec"].get("progressDeadlineSeconds", 600))):
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return progressing(False, "ProgressDeadlineExceeded", text, timedelta(seconds=600))
    text = f'ReplicaSet "{name}" is progressing.'
    return progressing(True, "ReplicaSetUpdated", text, timedelta())


def _kept(obj: Obj, kind: str, value: bool, reason: str, message: str, since: str) -> Obj:
    """The current condition while it holds, else a new one. Its transition time changes only with
    its status, and never goes back."""
    old = condition(obj, kind)
    if old:
        same = old["status"] == str(value)
        if same and (old["reason"], old["message"]) == (reason, message):
            return old
        past = str(old["lastTransitionTime"])
        since = past if same else max(since, past)
    times = {"lastUpdateTime": since, "reason": reason, "message": message}
    return new_condition(kind, value, since) | times


def _stateful_set(stateful: Obj, pods: list[Obj]) -> Obj:
    total, ready = len(pods), _ready(pods)
    codes = [p["metadata"]["labels"].get("controller-revision-hash", "") for p in pods]
    last = max(codes, default=f"{stateful['metadata']['name']}-0")
    update = dig(stateful, "status", "updateRevision") or last
    current = dig(stateful, "status", "currentRevision") or update
    updated = codes.count(update)
    counts: Obj = {
        "observedGeneration": stateful["metadata"].get("generation", 1),
        "replicas": total,
        "readyReplicas": ready,
        "currentReplicas": total if current == update else total - updated,
        "availableReplicas": ready,
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
    return _without_zeros(counts, "readyReplicas", "currentReplicas", "updatedReplicas")


def _daemon_set(daemon: Obj, pods: list[Obj]) -> Obj:
    meta, ready, count = daemon["metadata"], _ready(pods), len(pods)
    generation = meta.get("annotations", {}).get("deprecated.daemonset.template.generation", "")
    labels = [p["metadata"]["labels"].get("pod-template-generation") for p in pods]
    desired = max(count, int(dig(daemon, "status", "desiredNumberScheduled", default=0)))
    counts: Obj = {
        "currentNumberScheduled": count,
        "desiredNumberScheduled": desired,
        "numberMisscheduled": 0,
        "numberReady": ready,
        "observedGeneration": meta.get("generation", 1),
        "updatedNumberScheduled": labels.count(generation),
        "numberAvailable": ready,
        "numberUnavailable": desired - ready,
    }
    return _without_zeros(counts, "updatedNumberScheduled", "numberAvailable", "numberUnavailable")


def _job(job: Obj, pods: list[Obj]) -> Obj:
    """One succeeded pod completes a Job. A Job that has ended, or without pods here, keeps its
    status."""
    if not pods or condition(job, "Complete") or condition(job, "Failed"):
        return dict(job["status"])
    active = [p for p in pods if is_active(p)]
    out: Obj = {
        "startTime": job["metadata"]["creationTimestamp"],
        "ready": _ready(active),
        "terminating": sum(bool(p["metadata"].get("deletionTimestamp")) for p in pods),
        "uncountedTerminatedPods": {},
        "active": len(active),
        "failed": sum(dig(p, "status", "phase") == "Failed" for p in pods),
    }
    done = [p for p in pods if dig(p, "status", "phase") == "Succeeded"]
    if done:
        text, at = "Reached expected number of succeeded pods", max(map(_ended_at, done))
        out |= {
            "succeeded": len(done),
            "completionTime": at,
            "conditions": [
                new_condition(kind, True, at, "CompletionsReached", text, lastProbeTime=at)
                for kind in ("SuccessCriteriaMet", "Complete")
            ],
        }
    return _without_zeros(out, "active", "failed")


def _ended_at(pod: Obj) -> str:
    """When the last container of a pod ended."""
    statuses = dig(pod, "status", "containerStatuses", default=[])
    stamps = [dig(s, "state", "terminated", "finishedAt", default="") for s in statuses]
    return max(stamps, default="") or str(pod["metadata"]["creationTimestamp"])


def _cron_job(cron: Obj, jobs: list[Obj]) -> Obj:
    """The status of a CronJob from its Jobs."""
    jobs = sorted(jobs, key=lambda j: str(j["metadata"]["creationTimestamp"]), reverse=True)
    active = [j for j in jobs if j["status"].get("active")]
    done = [j["status"]["completionTime"] for j in jobs if j["status"].get("completionTime")]
    out = {**cron.get("status", {}), "lastScheduleTime": jobs[0]["metadata"]["creationTimestamp"]}
    if done:
        out["lastSuccessfulTime"] = max(done)
    out["active"] = [
        {"apiVersion": "batch/v1", "kind": "Job"}
        | {k: job["metadata"][k] for k in ("name", "namespace", "uid")}
        for job in active
    ]
    return {k: v for k, v in out.items() if v or k != "active"}


def _endpoint_slice(part: Obj, service: Obj, pods: list[Obj], zones: dict[str, str]) -> Obj:
    selector = {"matchLabels": service["spec"]["selector"]}
    behind = [
        p
        for p in sorted(pods, key=lambda p: str(p["metadata"]["name"]))
        if dig(p, "status", "podIP")
        and dig(p, "status", "phase") in {"Running", "Pending"}
        and matches_selector(selector, p["metadata"].get("labels", {}))
    ]
    ports = [
        {
            "name": port.get("name", ""),
            "protocol": port.get("protocol", "TCP"),
            "port": target_port(behind[0], port),
        }
        for port in (service["spec"].get("ports") or [] if behind else [])
    ]
    endpoints = [_endpoint(p, zones) for p in behind]
    return {"endpoints": endpoints, "ports": ports or part.get("ports") or []}


def _endpoint(pod: Obj, zones: dict[str, str]) -> Obj:
    meta, node = pod["metadata"], pod["spec"].get("nodeName", "")
    serving, terminating = holds(pod, "Ready"), bool(meta.get("deletionTimestamp"))
    ready = serving and not terminating
    return {
        "addresses": [pod["status"]["podIP"]],
        "nodeName": node,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", **{k: meta[k] for k in ("namespace", "name", "uid")}},
        **({"zone": zones[node]} if zones.get(node) else {}),
    }


def _budget(budget: Obj, pods: list[Obj], now: datetime) -> Obj:
    spec, meta = budget["spec"], budget["metadata"]
    selector = spec.get("selector")
    mine = [
        p
        for p in pods
        if is_active(p) and matches_selector(selector, p["metadata"].get("labels", {}))
    ]
    count, healthy = len(mine), _ready(mine)
    if "minAvailable" in spec:
        desired = _share(spec["minAvailable"], count, up=True)
    else:
        desired = count - _share(spec.get("maxUnavailable", 1), count, up=True)
    allowed = max(0, healthy - desired)
    reason = "SufficientPods" if allowed else "InsufficientPods"
    known = bool(dig(budget, "status", "conditions"))
    since = rfc3339(now) if known else meta["creationTimestamp"]
    shown = _kept(budget, "DisruptionAllowed", allowed > 0, reason, "", since)
    generation = meta.get("generation", 1)
    shown = {k: v for k, v in shown.items() if k != "lastUpdateTime"}
    return {
        "observedGeneration": generation,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": count,
        "disruptionsAllowed": allowed,
        "conditions": [{**shown, "observedGeneration": generation}],
    }
