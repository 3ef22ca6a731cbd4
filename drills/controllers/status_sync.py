"""What the controllers would write once they have seen the pods: counts, conditions, endpoints,
budgets.

Pure: `settle` reads objects and returns the fields that should be replaced. Used when a scenario is
expanded and while it plays.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, condition, controller_of, dig, parse_time, rfc3339
from drills.api.selectors import matches_selector

Of = Callable[[str], Iterable[Obj]]
Changes = list[tuple[Obj, Obj]]


def settle(of: Of, now: datetime) -> Changes:
    """(object, top-level fields to replace) for everything whose status no longer fits its pods."""
    pods = list(of("Pod"))
    owned: dict[str, list[Obj]] = defaultdict(list)
    by_namespace: dict[str, list[Obj]] = defaultdict(list)
    for pod in pods:
        by_namespace[pod["metadata"].get("namespace", "")].append(pod)
        if ref := controller_of(pod):
            owned[ref["uid"]].append(pod)
    out: Changes = []
    sets: dict[str, list[Obj]] = defaultdict(list)
    for rs in of("ReplicaSet"):
        status = _replica_set(rs, owned[rs["metadata"]["uid"]])
        _note(out, rs, {"status": status})
        if ref := controller_of(rs):
            sets[ref["uid"]].append({**rs, "status": status})
    for deployment in of("Deployment"):
        mine = sets[deployment["metadata"]["uid"]]
        _note(
            out,
            deployment,
            {
                "status": _deployment(
                    deployment, mine, [p for rs in mine for p in owned[rs["metadata"]["uid"]]], now
                )
            },
        )
    for stateful in of("StatefulSet"):
        _note(
            out, stateful, {"status": _stateful_set(stateful, owned[stateful["metadata"]["uid"]])}
        )
    nodes = list(of("Node"))
    for daemon in of("DaemonSet"):
        _note(out, daemon, {"status": _daemon_set(daemon, owned[daemon["metadata"]["uid"]])})
    services = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in of("Service")}
    zones = {
        n["metadata"]["name"]: n["metadata"].get("labels", {}).get("topology.kubernetes.io/zone")
        for n in nodes
    }
    for part in of("EndpointSlice"):
        meta = part["metadata"]
        service = services.get(
            (meta["namespace"], meta["labels"].get("kubernetes.io/service-name", ""))
        )
        if service is not None and service["spec"].get("selector"):
            _note(out, part, _slice(part, service, by_namespace[meta["namespace"]], zones))
    for pdb in of("PodDisruptionBudget"):
        _note(out, pdb, {"status": _budget(pdb, by_namespace[pdb["metadata"]["namespace"]], now)})
    return out


def _note(out: Changes, obj: Obj, fields: Obj) -> None:
    if any(obj.get(k) != v for k, v in fields.items()):
        out.append((obj, fields))


def is_active(pod: Obj) -> bool:
    return dig(pod, "status", "phase") not in {"Succeeded", "Failed"} and not pod["metadata"].get(
        "deletionTimestamp"
    )


def is_ready(pod: Obj) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def _counts(obj: Obj, pods: list[Obj]) -> tuple[int, int]:
    active = [p for p in pods if is_active(p)]
    return len(active), sum(1 for p in active if is_ready(p))


def _replica_set(rs: Obj, pods: list[Obj]) -> Obj:
    total, ready = _counts(rs, pods)
    out: Obj = {
        "replicas": total,
        "fullyLabeledReplicas": total,
        "observedGeneration": rs["metadata"].get("generation", 1),
    }
    if total == 0:
        out.pop("fullyLabeledReplicas")
    if ready:
        out.update(readyReplicas=ready, availableReplicas=ready)
    kept = [c for c in dig(rs, "status", "conditions", default=[]) if c["type"] == "ReplicaFailure"]
    if kept:
        out["conditions"] = kept
    return out


def _share(value: Any, of: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        exact = of * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def _last_change(pods: list[Obj], fallback: str, *, ready: bool) -> str:
    """When the readiness of these pods last went to `ready`."""
    stamps = [
        c["lastTransitionTime"]
        for p in pods
        if (c := condition(p, "Ready"))
        and (c["status"] == "True") == ready
        and c.get("lastTransitionTime")
    ]
    return max(stamps, default=fallback)


def _deployment(deployment: Obj, sets: list[Obj], pods: list[Obj], now: datetime) -> Obj:
    spec, meta = deployment["spec"], deployment["metadata"]
    want = int(spec.get("replicas", 1))
    newest = max(
        sets,
        key=lambda s: int(
            s["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", 0)
        ),
        default=None,
    )
    total = sum(int(s["status"].get("replicas", 0)) for s in sets)
    ready = sum(int(s["status"].get("readyReplicas", 0)) for s in sets)
    updated = int(newest["status"].get("replicas", 0)) if newest else 0
    rolling = (
        dig(spec, "strategy", "rollingUpdate", default={})
        if dig(spec, "strategy", "type") != "Recreate"
        else {}
    )
    floor = want - _share(rolling.get("maxUnavailable", "25%"), want, up=False)
    available = ready >= floor
    out: Obj = {
        "observedGeneration": meta.get("generation", 1),
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    if total > ready:
        out["unavailableReplicas"] = max(want, total) - ready
    elif want > ready:
        out["unavailableReplicas"] = want - ready
    for key in [k for k, v in out.items() if v == 0 and k != "observedGeneration"]:
        out.pop(key)
    begun = rfc3339(parse_time(meta["creationTimestamp"]) + timedelta(seconds=30))
    before = {c["type"]: c for c in dig(deployment, "status", "conditions", default=[])}
    flipped = _last_change(pods, begun, ready=False) if not available else begun
    out["conditions"] = [
        _condition(
            before,
            "Available",
            available,
            "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
            f"Deployment {'has' if available else 'does not have'} minimum availability.",
            flipped,
            now,
        ),
        _progressing(
            before,
            deployment,
            newest,
            updated >= want and total == updated and ready >= want,
            [
                p
                for p in pods
                if newest and (controller_of(p) or {}).get("uid") == newest["metadata"]["uid"]
            ],
            now,
        ),
    ]
    return out


def _was_ready(pod: Obj) -> bool:
    """A pod that is not ready now, but was: its readiness went well after it was made."""
    found = condition(pod, "Ready")
    if found is None or not found.get("lastTransitionTime"):
        return False
    age = parse_time(found["lastTransitionTime"]) - parse_time(pod["metadata"]["creationTimestamp"])
    return found["status"] == "True" or age > timedelta(seconds=60)


def _progressing(
    before: dict[str, Obj],
    deployment: Obj,
    newest: Obj | None,
    complete: bool,
    pods: list[Obj],
    now: datetime,
) -> Obj:
    name = newest["metadata"]["name"] if newest else deployment["metadata"]["name"]
    rolled = (
        newest["metadata"]["creationTimestamp"]
        if newest
        else deployment["metadata"]["creationTimestamp"]
    )
    done = rfc3339(parse_time(rolled) + timedelta(seconds=30))
    succeeded = f'ReplicaSet "{name}" has successfully progressed.'
    old = before.get("Progressing")
    if complete or (
        old and old["reason"] == "NewReplicaSetAvailable" and old["message"] == succeeded
    ):
        return _condition(
            before, "Progressing", True, "NewReplicaSetAvailable", succeeded, done, now
        )
    age = now - parse_time(rolled)
    wanted = int(deployment["spec"].get("replicas", 1))
    if (
        age > timedelta(hours=1) or sum(1 for p in pods if _was_ready(p)) >= wanted
    ):  # it had finished before pods failed
        return _condition(
            before, "Progressing", True, "NewReplicaSetAvailable", succeeded, done, now
        )
    if age > timedelta(seconds=int(deployment["spec"].get("progressDeadlineSeconds", 600))):
        return _condition(
            before,
            "Progressing",
            False,
            "ProgressDeadlineExceeded",
            f'ReplicaSet "{name}" has timed out progressing.',
            rfc3339(parse_time(rolled) + timedelta(seconds=600)),
            now,
        )
    return _condition(
        before,
        "Progressing",
        True,
        "ReplicaSetUpdated",
        f'ReplicaSet "{name}" is progressing.',
        rolled,
        now,
    )


def _condition(
    before: dict[str, Obj],
    kind: str,
    value: bool,
    reason: str,
    message: str,
    since: str,
    now: datetime,
) -> Obj:
    status = "True" if value else "False"
    old = before.get(kind)
    if old and old["status"] == status and old["reason"] == reason and old["message"] == message:
        return old
    if old and old["status"] == status:
        since = old["lastTransitionTime"]
    elif old:
        since = max(since, old["lastTransitionTime"])
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": since,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def _stateful_set(stateful: Obj, pods: list[Obj]) -> Obj:
    total, ready = _counts(stateful, pods)
    name = stateful["metadata"]["name"]
    before = dig(stateful, "status", default={})
    codes = sorted(
        {p["metadata"]["labels"].get("controller-revision-hash", "") for p in pods if is_active(p)}
    )
    update = before.get("updateRevision") or (codes[-1] if codes else f"{name}-0")
    current = before.get("currentRevision") or update
    updated = sum(
        1
        for p in pods
        if is_active(p) and p["metadata"]["labels"].get("controller-revision-hash") == update
    )
    out: Obj = {
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
    for key in [k for k in ("readyReplicas", "currentReplicas", "updatedReplicas") if out[k] == 0]:
        out.pop(key)
    return out


def _daemon_set(daemon: Obj, pods: list[Obj]) -> Obj:
    active = [p for p in pods if is_active(p)]
    ready = sum(1 for p in active if is_ready(p))
    before = dig(daemon, "status", default={})
    generation = str(
        daemon["metadata"]
        .get("annotations", {})
        .get("deprecated.daemonset.template.generation", "")
    )
    updated = sum(
        1 for p in active if p["metadata"]["labels"].get("pod-template-generation") == generation
    )
    desired = max(len(active), int(before.get("desiredNumberScheduled", 0)))
    out: Obj = {
        "currentNumberScheduled": len(active),
        "desiredNumberScheduled": desired,
        "numberMisscheduled": 0,
        "numberReady": ready,
        "observedGeneration": daemon["metadata"].get("generation", 1),
        "updatedNumberScheduled": updated,
        "numberAvailable": ready,
    }
    if desired > ready:
        out["numberUnavailable"] = desired - ready
    for key in [k for k in ("updatedNumberScheduled", "numberAvailable") if out[k] == 0]:
        out.pop(key)
    return out


def _slice(part: Obj, service: Obj, pods: list[Obj], zones: dict[str, Any]) -> Obj:
    selector = {"matchLabels": service["spec"]["selector"]}
    endpoints: list[Obj] = []
    ports: list[Obj] = []
    for pod in sorted(pods, key=lambda p: str(p["metadata"]["name"])):
        ip, meta = dig(pod, "status", "podIP"), pod["metadata"]
        if not ip or dig(pod, "status", "phase") not in {"Running", "Pending"}:
            continue
        if not matches_selector(selector, meta.get("labels", {})):
            continue
        terminating = bool(meta.get("deletionTimestamp"))
        serving = is_ready(pod)
        node = pod["spec"].get("nodeName", "")
        endpoints.append(
            {
                "addresses": [ip],
                "nodeName": node,
                "conditions": {
                    "ready": serving and not terminating,
                    "serving": serving,
                    "terminating": terminating,
                },
                "targetRef": {
                    "kind": "Pod",
                    "namespace": meta["namespace"],
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
                **({"zone": zones[node]} if zones.get(node) else {}),
            }
        )
        ports = ports or [_slice_port(p, pod) for p in service["spec"].get("ports") or []]
    return {"endpoints": endpoints, "ports": ports or part.get("ports") or []}


def _slice_port(port: Obj, pod: Obj) -> Obj:
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        target = next(
            (
                p["containerPort"]
                for c in pod["spec"]["containers"]
                for p in c.get("ports") or []
                if p.get("name") == target
            ),
            port["port"],
        )
    return {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": target}


def _budget(pdb: Obj, pods: list[Obj], now: datetime) -> Obj:
    spec = pdb["spec"]
    mine = [
        p
        for p in pods
        if matches_selector(spec.get("selector"), p["metadata"].get("labels", {})) and is_active(p)
    ]
    healthy = sum(1 for p in mine if is_ready(p))
    if "minAvailable" in spec:
        desired = _share(spec["minAvailable"], len(mine), up=True)
    else:
        desired = len(mine) - _share(spec.get("maxUnavailable", 1), len(mine), up=True)
    allowed = max(0, healthy - desired)
    before = {c["type"]: c for c in dig(pdb, "status", "conditions", default=[])}
    enough = allowed > 0
    shown = _condition(
        before,
        "DisruptionAllowed",
        enough,
        "SufficientPods" if enough else "InsufficientPods",
        "",
        pdb["metadata"]["creationTimestamp"] if not before else rfc3339(now),
        now,
    )
    shown.pop("lastUpdateTime", None)
    shown = {**shown, "observedGeneration": pdb["metadata"].get("generation", 1)}
    return {
        "observedGeneration": pdb["metadata"].get("generation", 1),
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": len(mine),
        "disruptionsAllowed": allowed,
        "conditions": [shown],
    }
