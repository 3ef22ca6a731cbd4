"""The shapes that pods take when something is wrong, as kubelet, scheduler and node controller write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from drills.expand.events import add_event, add_life
from drills.expand.placement import place
from drills.expand.pods import container_id, make_pod
from drills.expand.world import World, Writer
from drills.objects import Obj, controller_of, dig, parse_time, rfc3339, stable_fraction, stable_suffix

Maker = Callable[[World, Obj, dict[str, Any]], None]


def set_pod_state(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """data: state, since, and what the state takes (see each function). Raises ValueError for an unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"pod state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, pod, data)
    world.touch(pod)
    pod["metadata"].pop("managedFields", None)


def _since(world: World, pod: Obj, data: dict[str, Any]) -> datetime:
    since = world.ago(data.get("since", "5m"))
    if spread := data.get("spread"):  # neighbours do not fail in the same second
        span = abs((world.ago(spread) - world.now).total_seconds())
        since += timedelta(seconds=span * stable_fraction("spread", pod["metadata"]["name"]))
    return max(since, parse_time(pod["metadata"]["creationTimestamp"]))


def _kubelet_wrote(world: World, pod: Obj, at: datetime, manager: str = "kubelet") -> None:
    key = world.key(pod)
    kept = [w for w in world.writers.get(key, []) if w.subresource != "status"]
    world.writers[key] = [*kept, Writer(manager, at, ("status",), "status")]


def _set_condition(pod: Obj, kind: str, value: bool, at: datetime, reason: str = "", message: str = "") -> None:
    found = next((c for c in pod["status"]["conditions"] if c["type"] == kind), None)
    if found is None:
        found = {"type": kind, "lastProbeTime": None, "observedGeneration": 1}
        pod["status"]["conditions"].append(found)
    found.update(status="True" if value else "False", lastTransitionTime=rfc3339(at))
    for word, text in (("reason", reason), ("message", message)):
        if text:
            found[word] = text
        else:
            found.pop(word, None)


def _not_ready(pod: Obj, at: datetime, names: list[str]) -> None:
    message = f"containers with unready status: [{' '.join(names)}]"
    for kind in ("Ready", "ContainersReady"):
        _set_condition(pod, kind, False, at, "ContainersNotReady", message)


def _chosen(pod: Obj, data: dict[str, Any]) -> list[Obj]:
    wanted = data.get("container")
    return [s for s in pod["status"]["containerStatuses"] if wanted in {None, s["name"]}][:1]


def _terminated(pod: Obj, status: Obj, *, code: int, reason: str, begun: datetime, ended: datetime, message: str = "") -> Obj:
    return {
        "exitCode": code,
        "reason": reason,
        "startedAt": rfc3339(begun),
        "finishedAt": rfc3339(ended),
        **({"message": message} if message else {}),
        "containerID": container_id(pod, status["name"], max(0, int(status["restartCount"]) - 1)),
    }


def crash_loop(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """since (first crash), restarts (5), exitCode (1), reason (Error), runs (seconds per try), message, last (end of the
    latest try)."""
    since = _since(world, pod, data)
    restarts = int(data.get("restarts", 5))
    code, reason = int(data.get("exitCode", 1)), str(data.get("reason", "Error"))
    last = (
        world.ago(data["last"])
        if "last" in data
        else world.now - timedelta(seconds=15 + 60 * stable_fraction("crash", pod["metadata"]["name"]))
    )
    last = max(last, since)
    wait = "5m0s" if restarts >= 6 else f"{10 * 2 ** max(0, restarts - 1)}s"
    wait = {"20s": "20s", "40s": "40s", "80s": "1m20s", "160s": "2m40s"}.get(wait, wait)
    pod_id = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
    for status in _chosen(pod, data):
        status["restartCount"] = restarts
        status["containerID"] = container_id(pod, status["name"], restarts)
        gone = _terminated(
            pod,
            status,
            code=code,
            reason=reason,
            ended=last,
            message=str(data.get("message", "")),
            begun=last - timedelta(seconds=float(data.get("runs", 2))),
        )
        gone["containerID"] = status["containerID"]
        status.update(
            ready=False,
            started=False,
            lastState={"terminated": gone},
            state={
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": f"back-off {wait} restarting failed container={status['name']} pod={pod_id}",
                }
            },
        )
        _not_ready(pod, since, [status["name"]])
        add_event(
            world,
            pod,
            "BackOff",
            f"Back-off restarting failed container {status['name']} in pod {pod_id}",
            kind="Warning",
            first=since + timedelta(seconds=4),
            last=world.now - timedelta(seconds=9),
            count=restarts * 4,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Pulled",
            f'Container image "{status["image"]}" already present on machine',
            first=since,
            last=last,
            count=restarts + 1,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Started",
            f"Started container {status['name']}",
            first=since,
            last=last,
            count=restarts + 1,
            container=status["name"],
        )
    pod["status"]["phase"] = "Running"
    _kubelet_wrote(world, pod, last)


def restarted(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A container that ended and runs again: since (end), exitCode (137), reason (Error), restarts (1), lived (of the
    ended run), back (seconds until it ran again: 2), ready (seconds until ready: 8), sandbox (true: the sandbox changed)."""
    ended = _since(world, pod, data)
    code, reason = int(data.get("exitCode", 137)), str(data.get("reason", "Error"))
    back = ended + timedelta(seconds=float(data.get("back", 2)))
    ready = back + timedelta(seconds=float(data.get("ready", 8)))
    for status in _chosen(pod, data) if not data.get("sandbox") else pod["status"]["containerStatuses"]:
        begun = parse_time(dig(status, "state", "running", "startedAt", default=pod["metadata"]["creationTimestamp"]))
        if "lived" in data:
            begun = max(begun, ended - abs(world.ago(data["lived"]) - world.now))
        begun = min(begun, ended)
        status["restartCount"] = int(status["restartCount"]) + int(data.get("restarts", 1))
        status["lastState"] = {
            "terminated": _terminated(pod, status, code=code, reason=reason, begun=begun, ended=ended, message=str(data.get("message", "")))
        }
        status["containerID"] = container_id(pod, status["name"], status["restartCount"])
        status.update(state={"running": {"startedAt": rfc3339(back)}}, ready=True, started=True)
        if data.get("events", True):
            count = int(data.get("restarts", 1)) + (1 if data.get("counted") else 0)
            add_event(
                world, pod, "Started", f"Started container {status['name']}", first=back, count=max(1, count), container=status["name"]
            )
    if data.get("sandbox"):
        add_event(world, pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", first=ended)
        _set_condition(pod, "PodReadyToStartContainers", True, back)
    for kind in ("Ready", "ContainersReady"):
        _set_condition(pod, kind, True, ready)
    _kubelet_wrote(world, pod, ready)


def oom_killed(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """As `restarted`, ended by the kernel at the container's own limit; `looping: true` gives CrashLoopBackOff."""
    data = {"exitCode": 137, "reason": "OOMKilled", **data}
    (crash_loop if data.get("looping") else restarted)(world, pod, data)


def _never_started(
    world: World, pod: Obj, since: datetime, reason: str, message: str = "", *, sandbox: bool, names: list[str] | None = None
) -> None:
    status = pod["status"]
    statuses = status["containerStatuses"]
    for s in statuses:
        s.update(
            state={"waiting": {"reason": reason, **({"message": message} if message else {})}},
            lastState={},
            ready=False,
            started=False,
            restartCount=0,
            imageID="",
        )
        for field in ("containerID", "allocatedResources", "resources"):
            s.pop(field, None)
    status["phase"] = "Pending"
    all_names = names or [s["name"] for s in statuses]
    _not_ready(pod, since, all_names)
    _set_condition(pod, "PodReadyToStartContainers", sandbox, since)
    if not sandbox and not pod["spec"].get("hostNetwork"):
        status.pop("podIP", None)
        status.pop("podIPs", None)
    _kubelet_wrote(world, pod, since + timedelta(seconds=2))
    _drop_started_events(world, pod)


def _drop_started_events(world: World, pod: Obj) -> None:
    for event in world.of("Event"):
        about = event["involvedObject"]
        if about.get("uid") == pod["metadata"]["uid"] and event["reason"] in {"Started", "Created", "Pulled"}:
            world.remove(event)


def _retries(world: World, since: datetime, data: dict[str, Any]) -> tuple[datetime, datetime, int]:
    last = world.now - timedelta(seconds=float(data.get("lastAgo", 20)))
    count = int(data.get("count", max(2, int((last - since).total_seconds() // 60))))
    return since + timedelta(seconds=1), max(last, since), count


def config_error(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """CreateContainerConfigError with `message` (`couldn't find key K in Secret ns/x`)."""
    since, message = _since(world, pod, data), str(data.get("message") or _missing_key(pod))
    for word, value in (("{namespace}", pod["metadata"]["namespace"]), ("{name}", pod["metadata"]["name"])):
        message = message.replace(word, value)
    _never_started(world, pod, since, "CreateContainerConfigError", message, sandbox=True)
    first, last, count = _retries(world, since, data)
    for status in pod["status"]["containerStatuses"][:1]:
        add_event(
            world, pod, "Failed", f"Error: {message}", kind="Warning", first=first, last=last, count=count * 5, container=status["name"]
        )
        add_event(
            world,
            pod,
            "Pulled",
            f'Container image "{status["image"]}" already present on machine',
            first=first,
            last=last,
            count=count * 5,
            container=status["name"],
        )


def _missing_key(pod: Obj) -> str:
    """What the kubelet says about the first key that the pod's environment takes from a Secret."""
    for container in pod["spec"]["containers"]:
        for env in container.get("env") or []:
            ref = dig(env, "valueFrom", "secretKeyRef")
            if ref:
                return f"couldn't find key {ref['key']} in Secret {pod['metadata']['namespace']}/{ref['name']}"
    raise ValueError(f"pod {pod['metadata']['name']} takes no key from a Secret; give `message`")


def image_pull(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """ImagePullBackOff; message: why the pull failed."""
    since = _since(world, pod, data)
    for status in pod["status"]["containerStatuses"][:1]:
        image = status["image"]
        why = str(
            data.get("message", f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found')
        )
        _never_started(
            world,
            pod,
            since,
            "ImagePullBackOff",
            f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = NotFound desc = {why}',
            sandbox=True,
        )
        first, last, count = _retries(world, since, data)
        add_event(
            world,
            pod,
            "Failed",
            f'Failed to pull image "{image}": rpc error: code = NotFound desc = {why}',
            kind="Warning",
            first=first,
            last=last,
            count=min(count, 6),
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Failed",
            "Error: ErrImagePull",
            kind="Warning",
            first=first,
            last=last,
            count=min(count, 6),
            container=status["name"],
        )
        add_event(
            world, pod, "BackOff", f'Back-off pulling image "{image}"', first=first, last=last, count=count * 2, container=status["name"]
        )


def creating(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """ContainerCreating with an event: reason, message, count; `component` (kubelet)."""
    since = _since(world, pod, data)
    _never_started(world, pod, since, "ContainerCreating", sandbox=False)
    first, last, count = _retries(world, since, data)
    for problem in data.get("problems") or ([data] if "reason" in data else []):
        text = str(problem["message"])
        for word, value in (
            ("{namespace}", pod["metadata"]["namespace"]),
            ("{name}", pod["metadata"]["name"]),
            ("{uid}", pod["metadata"]["uid"]),
            ("{node}", pod["spec"].get("nodeName", "")),
            ("{volume}", _volume_of(world, pod)),
        ):
            text = text.replace(word, str(value))
        add_event(
            world,
            pod,
            str(problem["reason"]),
            text,
            kind=str(problem.get("type", "Warning")),
            first=first,
            last=last,
            count=int(problem.get("count", count)),
            component=str(problem.get("component", "kubelet")),
        )


def _volume_of(world: World, pod: Obj) -> str:
    """The name of the first persistent volume that a pod uses; empty without one."""
    for volume in pod["spec"].get("volumes") or []:
        claim = dig(volume, "persistentVolumeClaim", "claimName")
        found = world.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim) if claim else None
        if found is not None:
            return str(dig(found, "spec", "volumeName", default=""))
    return ""


def pending(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Unschedulable: `message` as the scheduler words it; reason (Unschedulable)."""
    since, message = _since(world, pod, data), str(data["message"])
    pod["spec"].pop("nodeName", None)
    qos = pod["status"]["qosClass"]
    pod["status"] = {
        "observedGeneration": 1,
        "phase": "Pending",
        "qosClass": qos,
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": rfc3339(since),
                "reason": str(data.get("reason", "Unschedulable")),
                "message": message,
                "observedGeneration": 1,
            }
        ],
    }
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    first, last, count = _retries(world, since, data)
    add_event(
        world,
        pod,
        "FailedScheduling",
        message,
        kind="Warning",
        first=first,
        last=last,
        count=max(1, count // 5),
        component="default-scheduler",
    )
    _kubelet_wrote(world, pod, since, "kube-scheduler")


def unready(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Running, not ready: `message` of the failing probe (`Readiness probe failed: …`), count."""
    since = _since(world, pod, data)
    statuses = _chosen(pod, data)
    for status in statuses:
        status["ready"] = False
    _not_ready(pod, since, [s["name"] for s in statuses])
    if data.get("message"):
        first, last, count = _retries(world, since, data)
        text = str(data["message"]).replace("{pod}", str(dig(pod, "status", "podIP", default="")))
        add_event(world, pod, "Unhealthy", text, kind="Warning", first=first, last=last, count=count * 6, container=statuses[0]["name"])
    _kubelet_wrote(world, pod, since)


def probe_blips(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A pod that is Ready but had failing probes: message, count, last."""
    since = _since(world, pod, data)
    last = world.ago(data.get("last", "2m"))
    add_event(
        world,
        pod,
        "Unhealthy",
        str(data["message"]),
        kind="Warning",
        first=since,
        last=last,
        count=int(data.get("count", 3)),
        container=pod["spec"]["containers"][0]["name"],
    )


def terminating(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Deleted at `since`, and still there (ready: still Ready)."""
    since = _since(world, pod, data)
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    pod["metadata"]["deletionTimestamp"] = rfc3339(since + timedelta(seconds=grace))
    pod["metadata"]["deletionGracePeriodSeconds"] = grace
    if data.get("events", True):
        for status in pod["status"].get("containerStatuses", [])[:1]:
            add_event(world, pod, "Killing", f"Stopping container {status['name']}", first=since, container=status["name"])


def lost(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """On a node that no longer reports: Ready goes False by the node controller, the containers still look running.
    terminating: also marked for deletion after the 300 s of toleration."""
    since = _since(world, pod, data)
    _set_condition(pod, "Ready", False, since)
    _kubelet_wrote(world, pod, since, "kube-controller-manager")
    add_event(world, pod, "NodeNotReady", "Node is not ready", kind="Warning", first=since, component="node-controller")
    if data.get("terminating"):
        gone = since + timedelta(seconds=300)
        if gone < world.now:
            terminating(world, pod, {"since": world.now - gone, "events": False})
            _set_condition(pod, "DisruptionTarget", True, gone, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
            add_event(
                world,
                pod,
                "TaintManagerEviction",
                f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}",
                first=gone,
                component="taint-eviction-controller",
            )


def failed(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """phase Failed: reason (Evicted), message; target: reason of the DisruptionTarget condition."""
    since = _since(world, pod, data)
    reason, message = str(data.get("reason", "Evicted")), str(data.get("message", ""))
    if data.get("replace"):
        replace_pod(world, pod, since + timedelta(seconds=2))
    status = pod["status"]
    started = data.get("started", reason in {"Evicted", "Terminated", "NodeShutdown"})
    status.update(phase="Failed", reason=reason, message=message)
    for s in status.get("containerStatuses", []):
        begun = dig(s, "state", "running", "startedAt", default=rfc3339(since))
        s.update(
            ready=False,
            started=False,
            state={
                "terminated": {
                    "exitCode": int(data.get("exitCode", 137)),
                    "reason": "ContainerStatusUnknown" if started else "Error",
                    "startedAt": begun,
                    "finishedAt": rfc3339(since),
                }
            },
        )
    if not started:
        status.pop("containerStatuses", None)
        for field in ("podIP", "podIPs"):
            status.pop(field, None)
    for kind in ("Ready", "ContainersReady"):
        _set_condition(pod, kind, False, since, "PodFailed")
    _set_condition(pod, "PodReadyToStartContainers", False, since)
    if reason == "Evicted":
        _set_condition(pod, "DisruptionTarget", True, since, "TerminationByKubelet", message)
        add_event(world, pod, "Evicted", message, kind="Warning", first=since)
    elif reason.startswith("OutOf"):
        add_event(world, pod, reason, message, kind="Warning", first=since)
    _kubelet_wrote(world, pod, since)


def replace_pod(world: World, pod: Obj, at: datetime, node: str | None = None) -> Obj:
    """A new pod of the same owner, Running on another node since `at`."""
    ref = controller_of(pod)
    assert ref is not None
    owner = world.get(ref["kind"], pod["metadata"]["namespace"], ref["name"])
    assert owner is not None
    app = {
        "namespace": pod["metadata"]["namespace"],
        "name": ref["name"],
        "notNodes": [pod["spec"].get("nodeName", "")],
        "tolerations": pod["spec"].get("tolerations", []),
    }
    app["tolerations"] = [t for t in app["tolerations"] if not t.get("tolerationSeconds")]
    where = node or place(world, app, 1, salt=pod["metadata"]["name"])[0]
    name = f"{ref['name']}-{stable_suffix('again', world.seed, pod['metadata']['name'], rfc3339(at))}"
    new = make_pod(
        world,
        namespace=pod["metadata"]["namespace"],
        name=name,
        node=where,
        owner=owner,
        created=at,
        template=owner["spec"]["template"],
        generate_name=f"{ref['name']}-",
    )
    add_life(world, new)
    return new


def replaced(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Gone since `since`; its owner has another one, on `node` or wherever there is room."""
    since = _since(world, pod, data)
    replace_pod(world, pod, since, data.get("node"))
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    if data.get("events", True):
        for status in pod["status"].get("containerStatuses", [])[:1]:
            add_event(world, pod, "Killing", f"Stopping container {status['name']}", first=since, container=status["name"])
    world.remove(pod)


def reborn(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A StatefulSet's pod, deleted by force and made again under its name at `since` on `node`."""
    since = world.ago(data["since"])
    ref = controller_of(pod)
    assert ref is not None
    owner = world.get(ref["kind"], pod["metadata"]["namespace"], ref["name"])
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    template = {
        "metadata": {"labels": pod["metadata"]["labels"]},
        "spec": {
            **pod["spec"],
            "volumes": [v for v in pod["spec"].get("volumes") or [] if not v["name"].startswith("kube-api-access")],
            "containers": [
                {**c, "volumeMounts": [m for m in c.get("volumeMounts") or [] if not m["name"].startswith("kube-api-access")]}
                for c in pod["spec"]["containers"]
            ],
            "tolerations": [t for t in pod["spec"].get("tolerations") or [] if not t.get("tolerationSeconds")],
        },
    }
    world.remove(pod)
    new = make_pod(
        world,
        namespace=pod["metadata"]["namespace"],
        name=pod["metadata"]["name"],
        template=template,
        created=since,
        node=str(data["node"]),
        owner=owner,
        generate_name=pod["metadata"]["generateName"],
    )
    add_life(world, new)


def healthy(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Back to Running and Ready from `since` on (for script steps)."""
    since = _since(world, pod, data)
    pod["metadata"].pop("deletionTimestamp", None)
    pod["metadata"].pop("deletionGracePeriodSeconds", None)
    pod["status"]["phase"] = "Running"
    for status in pod["status"].get("containerStatuses", []):
        if "running" not in status.get("state", {}):
            status["state"] = {"running": {"startedAt": rfc3339(since)}}
        status.update(ready=True, started=True)
    for kind in ("PodReadyToStartContainers", "Ready", "ContainersReady"):
        _set_condition(pod, kind, True, since)


STATES: dict[str, Maker] = {
    "crashLoop": crash_loop,
    "restarted": restarted,
    "oomKilled": oom_killed,
    "configError": config_error,
    "imagePull": image_pull,
    "creating": creating,
    "pending": pending,
    "unready": unready,
    "probeBlips": probe_blips,
    "terminating": terminating,
    "lost": lost,
    "failed": failed,
    "replaced": replaced,
    "reborn": reborn,
    "healthy": healthy,
}
