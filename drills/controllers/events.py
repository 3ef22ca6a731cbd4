"""Events as kubelet, scheduler and controllers record them (core/v1). They live one hour, as with
--event-ttl=1h."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import (
    Obj,
    controller_of,
    dig,
    digest,
    parse_time,
    rfc3339,
    rfc3339_micro,
    stable_uid,
)
from drills.api.world import World, Writer

TTL = timedelta(hours=1)

_COMPONENT = {
    "Node": "kubelet",
    "Pod": "kubelet",
    "Deployment": "deployment-controller",
    "ReplicaSet": "replicaset-controller",
    "DaemonSet": "daemonset-controller",
    "StatefulSet": "statefulset-controller",
    "Job": "job-controller",
    "CronJob": "cronjob-controller",
    "Service": "service-controller",
    "Ingress": "nginx-ingress-controller",
    "HorizontalPodAutoscaler": "horizontal-pod-autoscaler",
}


def add_event(
    world: World,
    about: Obj,
    reason: str,
    message: str,
    *,
    kind: str = "Normal",
    component: str = "",
    first: datetime,
    last: datetime | None = None,
    count: int = 1,
    host: str = "",
    container: str = "",
) -> Obj | None:
    """None when the event is past its time to live. Scheduler events carry eventTime instead of
    first and last."""
    last = last or first
    if last < world.now - TTL:
        return None
    first = max(first, world.now - TTL) if count > 1 else first
    meta = about["metadata"]
    component = component or _COMPONENT.get(about["kind"], "kubelet")
    if not host and component == "kubelet":
        host = (
            meta["name"]
            if about["kind"] == "Node"
            else str(dig(about, "spec", "nodeName", default=""))
        )
    name = (
        f"{meta['name']}.{digest('event', meta['name'], reason, message, rfc3339(first), size=16)}"
    )
    namespace = meta.get("namespace") or "default"
    involved: Obj = {
        "kind": about["kind"],
        "name": meta["name"],
        "apiVersion": about["apiVersion"],
        "uid": meta["name"] if about["kind"] == "Node" else meta["uid"],
    }
    if meta.get("namespace"):
        involved["namespace"] = meta["namespace"]
    if container:
        involved["fieldPath"] = f"spec.containers{{{container}}}"
    event: Obj = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": rfc3339(first),
            "uid": stable_uid(world.seed, "Event", namespace, name),
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": kind,
        "eventTime": None,
        "source": {"component": component, **({"host": host} if host else {})},
        "firstTimestamp": rfc3339(first),
        "lastTimestamp": rfc3339(last),
        "count": count,
        "reportingComponent": component,
        "reportingInstance": host,
    }
    if component == "default-scheduler":
        event.update(
            source={},
            firstTimestamp=None,
            lastTimestamp=None,
            eventTime=rfc3339_micro(first),
            action="Scheduling",
            reportingInstance="default-scheduler-cp-a",
        )
        event.pop("count")
        if count > 1:
            event["series"] = {"count": count, "lastObservedTime": rfc3339_micro(last)}
    return world.add(event, Writer(_manager(component), last))


def _manager(component: str) -> str:
    return {"kubelet": "kubelet", "default-scheduler": "kube-scheduler"}.get(
        component, "kube-controller-manager" if component.endswith("-controller") else component
    )


def from_data(world: World, data: dict[str, Any]) -> None:
    """One entry of `events:`. data: for (`Kind/ns/name`, `Node/name` or {kind, …selection}), type,
    reason, message, count, first, last, from, host. `{name}`, `{namespace}`, `{node}`, `{uid}` in
    the message are filled in. Raises ValueError when nothing is selected."""
    found = subjects(world, data["for"])
    if not found:
        raise ValueError(f"event {data.get('reason')}: nothing matches {data['for']}")
    first = world.ago(data.get("first", data.get("at", "1m")))
    last = world.ago(data["last"]) if "last" in data else None
    for obj in found:
        meta = obj["metadata"]
        text = str(data["message"])
        for word, value in (
            ("name", meta["name"]),
            ("namespace", meta.get("namespace", "")),
            ("uid", meta["uid"]),
            ("node", dig(obj, "spec", "nodeName", default=meta["name"])),
        ):
            text = text.replace("{" + word + "}", str(value))
        add_event(
            world,
            obj,
            str(data["reason"]),
            text,
            kind=str(data.get("type", "Normal")),
            first=first,
            last=last,
            component=str(data.get("from", "")),
            count=int(data.get("count", 1)),
            host=str(data.get("host", "")),
        )


def subjects(world: World, what: Any) -> list[Obj]:
    """Objects named `Kind/ns/name` or `Kind/name`, or selected by a mapping with `kind`."""
    if isinstance(what, dict) and "gone" in what:
        return [_gone(world, what["gone"])]
    if isinstance(what, dict):
        return world.select(str(what.get("kind", "Pod")), what)
    kind, *rest = str(what).split("/")
    if len(rest) == 1:
        return [o for o in world.of(kind) if o["metadata"]["name"] == rest[0]]
    return world.select(kind, {"namespace": rest[0], "name": rest[1]})


def _gone(world: World, what: dict[str, Any]) -> Obj:
    """A pod that is no longer there, for the events that outlive it: owner {kind, namespace, name},
    suffix, node."""
    owners = world.select(str(what["owner"]["kind"]), {"newest": True, **what["owner"]})
    if not owners:
        raise ValueError(f"nothing matches {what['owner']}")
    meta = owners[0]["metadata"]
    name = f"{meta['name']}-{what['suffix']}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"nodeName": what.get("node", "")},
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "uid": stable_uid(world.seed, "gone", meta["namespace"], name),
        },
    }


def add_lives(pods: list[Obj], world: World) -> None:
    """The ordinary events of those pods that are younger than an hour, and of what made them."""
    for pod in pods:
        created = parse_time(pod["metadata"]["creationTimestamp"])
        if created < world.now - TTL or "kubernetes.io/config.mirror" in pod["metadata"].get(
            "annotations", {}
        ):
            continue
        add_life(world, pod)


def add_life(world: World, pod: Obj) -> None:
    """SuccessfulCreate, Scheduled, Pulled, Created and Started of one young pod."""
    created = parse_time(pod["metadata"]["creationTimestamp"])
    owner = controller_of(pod)
    if owner and owner["kind"] in {"ReplicaSet", "DaemonSet", "Job", "StatefulSet"}:
        made_by = world.get(owner["kind"], pod["metadata"]["namespace"], owner["name"])
        if made_by is not None:
            text = (
                f"Created pod: {pod['metadata']['name']}"
                if owner["kind"] != "StatefulSet"
                else (
                    f"create Pod {pod['metadata']['name']} in StatefulSet {owner['name']} "
                    "successful"
                )
            )
            add_event(world, made_by, "SuccessfulCreate", text, first=created)
    node = pod["spec"].get("nodeName")
    if not node:
        return
    add_event(
        world,
        pod,
        "Scheduled",
        f"Successfully assigned {pod['metadata']['namespace']}/{pod['metadata']['name']} to {node}",
        component="default-scheduler",
        first=created,
    )
    for status in dig(pod, "status", "containerStatuses", default=[]):
        begun = dig(status, "state", "running", "startedAt") or dig(
            status, "state", "terminated", "startedAt"
        )
        if not begun or status.get("restartCount"):
            continue
        at = parse_time(begun)
        add_event(
            world,
            pod,
            "Pulled",
            f'Container image "{status["image"]}" already present on machine',
            first=at,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Created",
            f"Created container: {status['name']}",
            first=at,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Started",
            f"Started container {status['name']}",
            first=at,
            container=status["name"],
        )


def add_job_events(jobs: list[Obj], world: World) -> None:
    """SuccessfulCreate, SawCompletedJob and Completed of the runs of the last hour."""
    for job in jobs:
        created = parse_time(job["metadata"]["creationTimestamp"])
        owner = controller_of(job)
        cron = world.get("CronJob", job["metadata"]["namespace"], owner["name"]) if owner else None
        name = job["metadata"]["name"]
        if cron is not None:
            add_event(world, cron, "SuccessfulCreate", f"Created job {name}", first=created)
        if done := dig(job, "status", "completionTime"):
            add_event(world, job, "Completed", "Job completed", first=parse_time(done))
            if cron is not None:
                add_event(
                    world,
                    cron,
                    "SawCompletedJob",
                    f"Saw completed job: {name}, condition: Complete",
                    first=parse_time(done),
                )
