"""Pods that have a node and do not start: missing configuration, sandboxes, volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube import durations
from cluster.kube.conditions import condition_of
from cluster.kube.objects import Pod, Ref
from cluster.kube.pods import statuses
from triage.detectors.pods.attachments import attached_elsewhere
from triage.detectors.pods.memory_limits import pod_limit
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import as_young, event_evidence, field_evidence, make
from triage.facts.messages.kubelet import agent_away, sandbox_cause
from triage.facts.messages.volumes import (
    MissingConfig,
    missing_config,
    mount_problem,
    volume_cause,
    volume_name,
)
from triage.facts.messages.wording import inner_words, quoted, signature
from triage.facts.windows import NOTE_AFTER, PULL_GRACE, RECENT, RETRY_GRACE, START_GRACE


def config_missing(
    pod: Pod,
    view: ClusterView,
    message: str,
    how: str,
    evidence: list[Evidence],
    since: datetime | None,
    source: SinceSource,
) -> Finding | None:
    """A Secret, ConfigMap or key that a message misses, as a finding."""
    namespace = pod.metadata.namespace
    found = missing_config(message, namespace)
    if found is None:
        return None
    name = found.name
    if not name:
        volume = next((v for v in pod.spec.volumes if v.name == volume_name(message)), None)
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
        "pod-config-missing",
        ref,
        f"cannot start: {what} is missing{there}",
        Severity.WARNING,
        "the pod cannot start",
        since=since,
        source=source,
        evidence=evidence,
        related=[target],
        detail=f"{found.kind}/{name}/{found.key}",
        facts={
            **view.pod_facts(pod),
            "kind": found.kind,
            "name": name,
            "key": found.key,
            "how": how,
            "exists": exists,
        },
    )


def starting(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Assigned to a node and not started: all FailedMount, FailedAttachVolume and sandbox events
    are read, not only the newest event."""
    if pod.status.phase == "Running":
        yield from _sandbox_lost(pod, view)
        return
    if pod.status.phase != "Pending" or not pod.spec.node_name:
        return
    reasons = {s.state.waiting.reason for s in statuses(pod) if s.state.waiting}
    if reasons - {"ContainerCreating", "PodInitializing", ""}:
        return
    if any(s.state.running for s in pod.status.init_container_statuses):
        return
    scheduled = condition_of(pod.status.conditions, "PodScheduled")
    since = (
        (scheduled.last_transition_time if scheduled else None)
        or pod.status.start_time
        or pod.metadata.creation_timestamp
    )
    if since is None or not view.older(since, NOTE_AFTER):
        return
    events = view.events_of(pod)
    found = list(_start_failures(pod, events, view)) or list(_absent(pod, view, since))
    if not found and (unknown := _unknown_failure(pod, events, view)) is not None:
        found.append(unknown)
    if found:
        age = view.young(since, RETRY_GRACE)
        yield from (as_young(one, age) for one in found)
        return
    if not view.older(since, START_GRACE):
        return
    pulls = _pulled_now(events)
    ref = ref_of(pod)
    age = view.now - since
    conditions = pod.status.conditions
    ready_to_start = condition_of(conditions, "PodReadyToStartContainers") or condition_of(
        conditions, "PodHasNetwork"
    )
    state = (
        f"PodReadyToStartContainers={ready_to_start.status}"
        if ready_to_start
        else "no container was created"
    )
    why = "no event says why" if view.readable("Event") else "events are not read"
    why = f": image {pulls} is still being pulled" if pulls else f", and {why}"
    yield make(
        "pod-not-starting",
        ref,
        f"containers are not created for {durations.words(age)}{why}",
        Severity.WARNING,
        "assigned to a node and not started within 3 min (10 min while pulling)",
        since=since,
        young=view.young(since, PULL_GRACE) if pulls else None,
        source=SinceSource.CONDITION,
        evidence=[field_evidence(ref, "status.conditions", state)],
        related=[Ref("Node", "", pod.spec.node_name)],
        facts={**view.pod_facts(pod), "seconds": int(age.total_seconds()), "pulls": pulls},
    )


def _pulled_now(events: Sequence[EventFact]) -> str:
    """The image whose pull was begun and has neither ended nor failed since, else ""."""
    told = [e for e in events if e.reason in ("Pulling", "Pulled", "Failed")]
    last = max(told, key=lambda e: e.last, default=None)
    found = _PULLING.search(last.message) if last is not None else None
    return found[1] if found is not None else ""


_PULLING = re.compile(r'^Pulling image "([^"]+)"')


def _sandbox_lost(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """After a reboot of its node a pod keeps the phase Running while no container of it runs and
    its new sandbox cannot be created."""
    if any(s.state.running for s in pod.status.container_statuses):
        return
    recent = [e for e in view.events_of(pod) if view.now - e.last <= RECENT]
    failed = [f for f in _start_failures(pod, recent, view) if f.rule == "pod-sandbox-failed"]
    yield from failed


_ORDINARY = frozenset(
    {
        "FailedScheduling",
        "Unhealthy",
        "BackOff",
        "DNSConfigForming",
        "FailedToRetrieveImagePullSecret",
        "TaintManagerEviction",
        "NodeNotReady",
    }
)
"""Warnings that do not explain why a pod on its node does not start."""


def _unknown_failure(pod: Pod, events: list[EventFact], view: ClusterView) -> Finding | None:
    """The most recent repeated warning, whatever its reason: the list of the kubelet's reasons is
    open."""
    warnings = [
        e
        for e in events
        if e.type == "Warning" and e.reason not in _ORDINARY and view.now - e.last <= RECENT
    ]
    if not warnings:
        return None
    event = max(warnings, key=lambda e: (e.count, e.last, e.uid))
    return make(
        "pod-container-create-failed",
        ref_of(pod),
        f"does not start: {quoted(f'{event.reason}: {event.message}')}",
        Severity.WARNING,
        "the pod cannot start",
        since=event.first,
        source=SinceSource.EVENT,
        evidence=[event_evidence(event)],
        detail=event.reason,
        related=[Ref("Node", "", pod.spec.node_name)],
        facts={
            **view.pod_facts(pod),
            "reason": event.reason,
            "container": "",
            "message": signature(event.message),
        },
    )


def _absent(pod: Pod, view: ClusterView, since: datetime) -> Iterator[Finding]:
    """Secrets and ConfigMaps that its volumes need and that do not exist: known without any event
    (they are kept for an hour only)."""
    wanted = [
        ("Secret", v.secret.secret_name)
        for v in pod.spec.volumes
        if v.secret is not None and not v.secret.optional
    ]
    wanted += [
        ("ConfigMap", v.config_map.name)
        for v in pod.spec.volumes
        if v.config_map is not None and not v.config_map.optional
    ]
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
                evidence=[
                    field_evidence(
                        ref, "spec.volumes", f"needs {kind} {name}, which does not exist"
                    )
                ],
                facts={
                    **view.pod_facts(pod),
                    "kind": kind,
                    "name": name,
                    "key": "",
                    "how": "volume",
                    "exists": False,
                },
            )


def _start_failures(pod: Pod, events: list[EventFact], view: ClusterView) -> Iterator[Finding]:
    sandbox: dict[str, list[EventFact]] = {}
    config: dict[MissingConfig, list[EventFact]] = {}
    volumes: list[EventFact] = []
    for event in events:
        if event.reason in ("FailedCreatePodSandBox", "FailedCreatePodSandbox"):
            sandbox.setdefault(sandbox_cause(event.message), []).append(event)
        elif event.reason == "NetworkNotReady":
            sandbox.setdefault("cni-not-ready", []).append(event)
        elif event.reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume"):
            missing = missing_config(event.message, pod.metadata.namespace)
            if missing is not None:
                config.setdefault(missing, []).append(event)
            elif (
                "not registered" not in event.message
            ):  # the kubelet's cache was not filled yet: passes
                volumes.append(event)
    for _, group in sorted(config.items()):
        evidence = [event_evidence(group[-1])]
        found = config_missing(
            pod,
            view,
            group[-1].message,
            "volume",
            evidence,
            min(e.first for e in group),
            SinceSource.EVENT,
        )
        if found is not None:
            yield found
    order = (
        "ip-exhausted",
        "name-reserved",
        "timeout",
        "runtime-down",
        "image",
        "runtime-class",
        "memory-limit",
        "cni-not-ready",
        "no-space",
        "cni",
        "other",
    )
    ref = ref_of(pod)
    if sandbox:
        cause = next(c for c in order if c in sandbox)
        group = sandbox[cause]
        every = sorted((e for g in sandbox.values() for e in g), key=lambda e: e.first)
        yield make(
            "pod-sandbox-failed",
            ref,
            f"its sandbox cannot be created on {pod.spec.node_name}: {_SANDBOX_TEXT[cause]} "
            f"({quoted(group[-1].message)})",
            Severity.WARNING,
            "the pod cannot start",
            since=every[0].first,
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for e in group[-2:]],
            related=[Ref("Node", "", pod.spec.node_name)],
            facts={
                **view.pod_facts(pod),
                "cause": cause,
                "said": quoted(inner_words(group[-1].message)),
                "limit": pod_limit(pod.spec) if cause == "memory-limit" else "",
                "agent_away": any(agent_away(e.message) for e in group),
                "new_node": _is_new(pod, view),
            },
        )
    if volumes and not config:
        yield _volume(pod, volumes, view)


def _is_new(pod: Pod, view: ClusterView) -> bool | None:
    """Whether its node joined lately; None when the node is not known."""
    node = view.node(pod.spec.node_name)
    return bool(view.node_facts(node)["new_node"]) if node is not None else None


_SANDBOX_TEXT = {
    "ip-exhausted": "no free address",
    "name-reserved": "the runtime still holds its name",
    "timeout": "the runtime does not answer in time",
    "cni-not-ready": "the network plugin is not ready",
    "no-space": "no space left",
    "runtime-down": "the container runtime does not answer",
    "image": "the image of sandboxes cannot be pulled",
    "runtime-class": "the runtime of its RuntimeClass is not set up there",
    "memory-limit": "it was killed for memory as it started (limit too low?)",
    "cni": "the network plugin fails",
    "other": "the runtime fails",
}


def _volume(pod: Pod, events: list[EventFact], view: ClusterView) -> Finding:
    order = ("multi-attach", "attach-limit", "attach", "mount", "timeout", "other")
    by_cause: dict[str, list[EventFact]] = {}
    for event in events:
        by_cause.setdefault(volume_cause(event.reason, event.message), []).append(event)
    cause = next(c for c in order if c in by_cause)
    group = by_cause[cause]
    volume = next((v for v in (volume_name(e.message) for e in group) if v), "")
    claim = driver = holder = ""
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
                holder = attached_elsewhere(pv, pod.spec.node_name, view)
            break
    telling = next(
        (e for e in reversed(group) if mount_problem(e.message)[0] not in ("", "pending")),
        group[-1],
    )
    why, words = mount_problem(telling.message)
    said = quoted(telling.message)
    if cause == "timeout" and holder:
        cause, said = "multi-attach", f"{holder} holds it ({said})"
    facts: dict[str, Fact] = {
        **view.pod_facts(pod),
        "cause": cause,
        "why": why if cause in ("mount", "other") else "",
        "volume": volume,
        "driver": driver,
        "claim": claim,
    }
    text = {
        "multi-attach": "is still attached to another node than",
        "attach-limit": "would exceed the limit of volumes on",
        "attach": "cannot be attached on",
        "mount": "cannot be mounted on",
        "timeout": "is not attached or mounted in time on",
    }.get(cause, "cannot be mounted on")
    if words and cause in ("mount", "other"):
        said = f"{words} ({said})"
    return make(
        "pod-volume-failed",
        ref_of(pod),
        f"volume {volume or claim or '?'} {text} {pod.spec.node_name}: {said}",
        Severity.WARNING,
        "the pod cannot start",
        since=min(e.first for e in events),
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in group[-2:]],
        related=related,
        facts=facts,
    )
