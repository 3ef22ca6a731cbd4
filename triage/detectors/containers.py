"""Containers: waiting errors, crash loops, OOM kills, ends that are over but recent, mounts and sandboxes that fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.objects import ContainerStateTerminated, ContainerStatus, Pod, Ref
from triage import images, messages, quantity
from triage.detectors.pods import condition, ref_of
from triage.events import Fact as EventFact
from triage.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.make import event_evidence, field_evidence, make
from triage.view import View, containers, statuses
from triage.windows import EDGE, PULL_GRACE, RECENT, RETRY_GRACE, START_GRACE

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"})
_CREATE = frozenset(
    {
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
        "StartError",
        "ContainerCannotRun",
    }
)
_BATCH = ("Job", "CronJob")


def _limit(pod: Pod, name: str) -> str:
    return next((c.resources.limits.get("memory", "") for c in containers(pod.spec) if c.name == name), "")


def _ran(ended: ContainerStateTerminated | None) -> int | None:
    if ended is None or ended.started_at is None or ended.finished_at is None:
        return None
    return max(0, int((ended.finished_at - ended.started_at).total_seconds()))


def _last_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    return status.state.terminated or status.last_state.terminated


def _end_evidence(ref: Ref, status: ContainerStatus) -> list[Evidence]:
    ended = _last_end(status)
    if ended is None:
        return []
    which = "state" if status.state.terminated else "lastState"
    text = f"container {status.name} ended {ended.reason or 'Error'} exit {ended.exit_code}, restarts {status.restart_count}"
    return [field_evidence(ref, f"status.containerStatuses[{status.name}].{which}", text, ended.finished_at)]


def _missing(
    pod: Pod, view: View, message: str, how: str, evidence: list[Evidence], since: datetime | None, source: SinceSource
) -> Finding | None:
    """A Secret, ConfigMap or key that a message misses, as a finding."""
    namespace = pod.metadata.namespace
    found = messages.missing_config(message, namespace)
    if found is None:
        return None
    name = found.name
    if not name:
        volume = next((v for v in pod.spec.volumes if v.name == messages.volume_name(message)), None)
        if volume is not None and volume.secret is not None:
            name = volume.secret.secret_name
        elif volume is not None and volume.config_map is not None:
            name = volume.config_map.name
    target = Ref(found.kind, found.namespace, name)
    exists: bool | None = view.store.get(*target) is not None
    if not exists and not view.readable(found.kind):
        exists = None
    ref = ref_of(pod)
    what = f"key {found.key} in {found.kind} {name}" if found.key else f"{found.kind} {name}"
    there = " (it exists now)" if exists and not found.key else ""
    return make(
        "pod-config-missing", ref, f"cannot start: {what} is missing{there}", Severity.WARNING, "the pod cannot start",
        since=since, source=source, evidence=evidence, related=[target], detail=f"{found.kind}/{name}/{found.key}",
        facts={**view.pod_facts(pod), "kind": found.kind, "name": name, "key": found.key, "how": how, "exists": exists},
    )  # fmt: skip


def waiting(pod: Pod, status: ContainerStatus, view: View) -> Iterator[Finding]:
    """Waiting reasons that say what is wrong (table 1.2 Waiting errors, CrashLoop), init containers included."""
    state = status.state.waiting
    if state is None:
        return
    ref = ref_of(pod)
    created = pod.metadata.creation_timestamp
    path = f"status.containerStatuses[{status.name}].state.waiting"
    evidence = [field_evidence(ref, path, f"{state.reason}: {state.message}" if state.message else state.reason)]
    facts = view.pod_facts(pod)
    if state.reason == "CrashLoopBackOff":
        yield _crash_loop(pod, status, view, [*evidence, *_end_evidence(ref, status)])
    elif state.reason in _PULL:
        if state.reason == "ErrImagePull" and not view.older(created, timedelta(seconds=30)):
            return
        failed = [
            e for e in view.events_of(pod) if e.reason in ("Failed", "ErrImageNeverPull", "InspectFailed") and "image" in e.message.lower()
        ]
        telling = [e for e in failed if messages.image_cause(e.message) != "other"]
        texts = [state.message, *(e.message for e in reversed(telling))]
        cause = next((c for c in map(messages.image_cause, texts) if c != "other"), "other")
        if state.reason == "InvalidImageName":
            cause = "invalid-name"
        image = next((c.image for c in containers(pod.spec) if c.name == status.name), status.image)
        since = min((e.first for e in failed), default=created)
        yield make(
            "pod-image-pull-failed", ref, f"image {image} cannot be pulled: {cause}", Severity.WARNING, "the container cannot start",
            since=since, source=SinceSource.EVENT if failed else SinceSource.CREATION, detail=status.name,
            evidence=[*evidence, *(event_evidence(e) for e in telling[-1:])],
            facts={**facts, "image": image, "cause": cause, "registry": images.parse(image).registry or "docker.io"},
        )  # fmt: skip
    elif state.reason == "CreateContainerConfigError":
        since = created
        events = [e for e in view.events_of(pod) if e.reason == "Failed" and state.message and state.message in e.message]
        if events:
            since = events[0].first
        found = _missing(pod, view, state.message, "env", evidence, since, SinceSource.EVENT if events else SinceSource.CREATION)
        yield found or make(
            "pod-container-create-failed", ref, f"container {status.name} cannot be configured: {state.message}", Severity.WARNING,
            "the container cannot start", since=since, source=SinceSource.CREATION, evidence=evidence, detail=status.name,
            facts={**facts, "reason": state.reason, "container": status.name},
        )  # fmt: skip
    elif state.reason in _CREATE:
        yield make(
            "pod-container-create-failed", ref, f"container {status.name} cannot be created: {state.reason}", Severity.WARNING,
            "the container cannot start", since=created, source=SinceSource.CREATION, evidence=evidence, detail=status.name,
            facts={**facts, "reason": state.reason, "container": status.name},
        )  # fmt: skip


def _crash_loop(pod: Pod, status: ContainerStatus, view: View, evidence: list[Evidence]) -> Finding:
    ended = _last_end(status)
    ref = ref_of(pod)
    facts = view.pod_facts(pod)
    batch = facts["owner_kind"] in _BATCH
    reason = ended.reason if ended else ""
    code = ended.exit_code if ended else None
    ran = _ran(ended)
    backoff = [e for e in view.events_of(pod) if e.reason == "BackOff" and "restarting failed" in e.message]
    since = backoff[0].first if backoff else (ended.finished_at if ended else pod.metadata.creation_timestamp)
    how = f"exit {code}" if code is not None else "no exit code"
    if reason and reason != "Error":
        how += f" {reason}"
    after = f" after {quantity.span_text(ran)}" if ran is not None else ""
    return make(
        "pod-crash-looping", ref, f"container {status.name} keeps crashing: {status.restart_count} restarts, {how}{after}",
        Severity.INFO if batch else Severity.WARNING,
        "a Job retries by itself" if batch else "a container in a crash loop serves nothing",
        since=since, source=SinceSource.EVENT if backoff else SinceSource.STATUS, detail=status.name,
        evidence=[*evidence, *(event_evidence(e) for e in backoff[-1:])],
        facts={
            **facts, "container": status.name, "restarts": status.restart_count, "exit_code": code, "reason": reason,
            "ran_seconds": ran, "oom": reason == "OOMKilled",
        },
    )  # fmt: skip


def ends(pod: Pod, status: ContainerStatus, view: View) -> Iterator[Finding]:
    """The last end of a container that runs again, or has ended: levels and edges.

    OOMKilled within 30 minutes is a warning also when it runs again; within the hour a note; after that history. Three crashes with
    the last one within 15 minutes and short runs between them are a crash loop even while the container runs.
    """
    end = _last_end(status)
    if end is None or end.finished_at is None:
        return
    looping = status.state.waiting is not None and status.state.waiting.reason == "CrashLoopBackOff"
    finished = end.finished_at
    if not view.within(finished, RECENT):
        return
    fresh = view.within(finished, EDGE)
    ref = ref_of(pod)
    facts = view.pod_facts(pod)
    batch = facts["owner_kind"] in _BATCH
    running = status.state.running is not None
    evidence = _end_evidence(ref, status)
    if end.reason == "OOMKilled":
        limit = _limit(pod, status.name)
        size = f" of {limit}" if limit else ""
        again = " and runs again" if running else ""
        yield make(
            "pod-oom-killed",
            ref,
            f"container {status.name} was killed at its memory limit{size}{again}, {status.restart_count} restarts",
            Severity.WARNING if fresh and not batch else Severity.INFO,
            "an OOM kill within 30 min is a warning, within an hour a note",
            since=finished,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=fresh,
            detail=status.name,
            facts={**facts, "container": status.name, "limit": limit, "restarts": status.restart_count, "running_again": running},
        )
        return
    if looping or batch:
        return
    if end.reason == "ContainerStatusUnknown" or end.exit_code == 255 or (end.exit_code == 137 and end.reason == "Error"):
        yield make(
            "pod-container-lost",
            ref,
            f"container {status.name} was lost or killed from outside (exit {end.exit_code} {end.reason})",
            Severity.INFO,
            "one lost container is a note; several owners on a node are a finding of the node",
            since=finished,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=False,
            detail=status.name,
            facts={**facts, "container": status.name, "exit_code": end.exit_code},
        )
        return
    ran = _ran(end)
    often = status.restart_count >= 3 and ran is not None and ran < 600 and view.within(finished, timedelta(minutes=15))
    if running and often:
        yield _crash_loop(pod, status, view, evidence)
    elif running and end.exit_code not in (0, 143):
        yield make(
            "pod-restarted", ref, f"container {status.name} ended with exit {end.exit_code} and runs again", Severity.INFO,
            "one restart that is over is a note", since=finished, source=SinceSource.STATUS, evidence=evidence, active=False,
            detail=status.name,
            facts={**facts, "container": status.name, "exit_code": end.exit_code, "reason": end.reason, "restarts": status.restart_count},
        )  # fmt: skip


def liveness(pod: Pod, view: View) -> Iterator[Finding]:
    """Restarts ordered by a liveness or startup probe: Killing events (Normal) and Unhealthy ones."""
    kills = [e for e in view.events_of(pod) if e.reason == "Killing" and "probe" in e.message and view.within(e.last, EDGE)]
    if not kills:
        return
    probes = [e for e in view.events_of(pod) if e.reason == "Unhealthy" and not e.message.startswith("Readiness")]
    count = sum(e.count for e in kills)
    cause = messages.probe_cause(probes[-1].message) if probes else "other"
    yield make(
        "pod-liveness-killed", ref_of(pod), f"restarted {count} time{'s' if count > 1 else ''} by its liveness probe ({cause})",
        Severity.WARNING if count >= 3 else Severity.INFO, "three or more such restarts within 30 min are a warning",
        since=kills[0].first, source=SinceSource.EVENT, evidence=[event_evidence(e) for e in (*probes[-1:], kills[-1])], active=count >= 3,
        facts={**view.pod_facts(pod), "count": count, "probe": cause},
    )  # fmt: skip


def starting(pod: Pod, view: View) -> Iterator[Finding]:
    """Assigned to a node and not started: all FailedMount, FailedAttachVolume and sandbox events are read, not only the newest event."""
    if pod.status.phase != "Pending" or not pod.spec.node_name:
        return
    reasons = {s.state.waiting.reason for s in statuses(pod) if s.state.waiting}
    if reasons - {"ContainerCreating", "PodInitializing", ""}:
        return
    if any(s.state.running for s in pod.status.init_container_statuses):
        return
    scheduled = condition(pod, "PodScheduled")
    since = (scheduled.last_transition_time if scheduled else None) or pod.status.start_time or pod.metadata.creation_timestamp
    if since is None or not view.older(since, RETRY_GRACE):
        return
    events = view.events_of(pod)
    told = list(_start_failures(pod, events, view)) or list(_absent(pod, view, since))
    yield from told
    if told:
        return
    pulling = any(e.reason == "Pulling" for e in events)
    grace = PULL_GRACE if pulling else START_GRACE
    if not view.older(since, grace):
        return
    ref = ref_of(pod)
    age = view.now - since
    ready_to_start = condition(pod, "PodReadyToStartContainers") or condition(pod, "PodHasNetwork")
    state = f"PodReadyToStartContainers={ready_to_start.status}" if ready_to_start else "no container was created"
    yield make(
        "pod-not-starting", ref, f"containers are not created for {quantity.span_text(age)}, and no event says why", Severity.WARNING,
        "assigned to a node and not started within 3 min (10 min while pulling)", since=since, source=SinceSource.CONDITION,
        evidence=[field_evidence(ref, "status.conditions", state)], related=[Ref("Node", "", pod.spec.node_name)],
        facts={**view.pod_facts(pod), "seconds": int(age.total_seconds())},
    )  # fmt: skip


def _absent(pod: Pod, view: View, since: datetime) -> Iterator[Finding]:
    """Secrets and ConfigMaps that its volumes need and that do not exist: known without any event (they are kept for an hour only)."""
    wanted = [("Secret", v.secret.secret_name) for v in pod.spec.volumes if v.secret is not None and not v.secret.optional]
    wanted += [("ConfigMap", v.config_map.name) for v in pod.spec.volumes if v.config_map is not None and not v.config_map.optional]
    ref = ref_of(pod)
    for kind, name in wanted:
        if not name:
            continue
        if not view.readable(kind):
            view.wake(view.now + RETRY_GRACE)
            continue
        target = Ref(kind, pod.metadata.namespace, name)
        if view.store.get(*target) is None:
            yield make(
                "pod-config-missing",
                ref,
                f"cannot start: {kind} {name} is missing",
                Severity.WARNING,
                "the pod cannot start",
                since=since,
                source=SinceSource.CONDITION,
                related=[target],
                detail=f"{kind}/{name}/",
                evidence=[field_evidence(ref, "spec.volumes", f"needs {kind} {name}, which does not exist")],
                facts={**view.pod_facts(pod), "kind": kind, "name": name, "key": "", "how": "volume", "exists": False},
            )


def _start_failures(pod: Pod, events: list[EventFact], view: View) -> Iterator[Finding]:
    sandbox: dict[str, list[EventFact]] = {}
    config: dict[messages.MissingConfig, list[EventFact]] = {}
    volumes: list[EventFact] = []
    for event in events:
        if event.reason in ("FailedCreatePodSandBox", "FailedCreatePodSandbox"):
            sandbox.setdefault(messages.sandbox_cause(event.message), []).append(event)
        elif event.reason == "NetworkNotReady":
            sandbox.setdefault("cni-not-ready", []).append(event)
        elif event.reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume"):
            missing = messages.missing_config(event.message, pod.metadata.namespace)
            if missing is not None:
                config.setdefault(missing, []).append(event)
            elif "not registered" not in event.message:  # the kubelet's cache was not filled yet: passes by itself
                volumes.append(event)
    for _, group in sorted(config.items()):
        evidence = [event_evidence(group[-1])]
        found = _missing(pod, view, group[-1].message, "volume", evidence, min(e.first for e in group), SinceSource.EVENT)
        if found is not None:
            yield found
    order = ("ip-exhausted", "name-reserved", "timeout", "cni-not-ready", "no-space", "cni", "other")
    ref = ref_of(pod)
    if sandbox:
        cause = next(c for c in order if c in sandbox)
        group = sandbox[cause]
        every = sorted((e for g in sandbox.values() for e in g), key=lambda e: e.first)
        yield make(
            "pod-sandbox-failed", ref, f"its sandbox cannot be created on {pod.spec.node_name}: {_SANDBOX_TEXT[cause]}", Severity.WARNING,
            "the pod cannot start", since=every[0].first, source=SinceSource.EVENT, evidence=[event_evidence(e) for e in group[-2:]],
            related=[Ref("Node", "", pod.spec.node_name)], facts={**view.pod_facts(pod), "cause": cause},
        )  # fmt: skip
    if volumes and not config:
        yield _volume(pod, volumes, view)


_SANDBOX_TEXT = {
    "ip-exhausted": "no free address",
    "name-reserved": "the runtime still holds its name",
    "timeout": "the runtime does not answer in time",
    "cni-not-ready": "the network plugin is not ready",
    "no-space": "no space left",
    "cni": "the network plugin fails",
    "other": "the runtime fails",
}


def _volume(pod: Pod, events: list[EventFact], view: View) -> Finding:
    order = ("multi-attach", "attach-limit", "attach", "mount", "timeout", "other")
    by_cause: dict[str, list[EventFact]] = {}
    for event in events:
        by_cause.setdefault(messages.volume_cause(event.reason, event.message), []).append(event)
    cause = next(c for c in order if c in by_cause)
    group = by_cause[cause]
    volume = next((v for v in (messages.volume_name(e.message) for e in group) if v), "")
    claim = driver = ""
    related: list[Ref] = []
    for spec in pod.spec.volumes:
        if spec.persistent_volume_claim is None:
            continue
        name = spec.persistent_volume_claim.claim_name
        row = view.store.get("PersistentVolumeClaim", pod.metadata.namespace, name)
        bound = row.spec.volume_name if row is not None else ""
        if not volume or volume in (spec.name, bound):
            claim = name
            related.append(Ref("PersistentVolumeClaim", pod.metadata.namespace, name))
            pv = view.store.get("PersistentVolume", "", bound) if bound else None
            if pv is not None:
                related.append(Ref("PersistentVolume", "", bound))
                driver = pv.spec.csi.driver if pv.spec.csi else ""
            break
    facts: dict[str, Fact] = {**view.pod_facts(pod), "cause": cause, "volume": volume, "driver": driver, "claim": claim}
    text = {
        "multi-attach": "is still attached to another node",
        "attach-limit": "would exceed the node's limit of volumes",
        "attach": "cannot be attached",
        "mount": "cannot be mounted",
        "timeout": "is not attached or mounted in time",
    }.get(cause, "cannot be mounted")
    return make(
        "pod-volume-failed", ref_of(pod), f"volume {volume or claim or '?'} {text} on {pod.spec.node_name}", Severity.WARNING,
        "the pod cannot start", since=min(e.first for e in events), source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in group[-2:]], related=related, facts=facts,
    )  # fmt: skip


def detect(pod: Pod, view: View) -> Iterator[Finding]:
    """All containers of a pod. Succeeded, Failed and terminating pods are told by `triage.detectors.pods`."""
    if pod.status.phase in ("Succeeded", "Failed") or pod.metadata.deletion_timestamp is not None:
        return
    for status in statuses(pod):
        yield from waiting(pod, status, view)
        yield from ends(pod, status, view)
    yield from liveness(pod, view)
    yield from starting(pod, view)
