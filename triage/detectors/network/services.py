"""Services, their load balancers, Ingresses and admission webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Pod, Ref, Service
from cluster.kube.pods import is_finished, is_ready
from triage.detectors.network.callers import callers_of
from triage.detectors.registry import cluster_detector, object_detector
from triage.facts import blast_radius as blast
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.scaled_away import FORGOTTEN, behind, scaled_away
from triage.facts.windows import (
    NOTE_AFTER,
    READY_GRACE,
    RECENT,
    UNREADY_GRACE,
    start_allowance,
)

_INTERNAL = ("internal", "private", "intranet")


ALIKE = 0.75
"""Share of common characters from which one value of a label may be meant for the other."""


@object_detector("Service")
def no_endpoints(row: Service, view: ClusterView) -> Iterator[Finding]:
    """A selector, and no ready endpoint although pods are there (or an Ingress leads here):
    k8sgpt's rule, with what explains it.

    A Service whose workload is scaled to zero by intent, or that selects nothing and nothing leads
    to, is no news; it is a note where an Ingress leads to it.
    """
    if (
        not row.spec.selector
        or row.spec.type == "ExternalName"
        or row.spec.publish_not_ready_addresses
    ):
        return
    created = row.metadata.creation_timestamp
    if not view.older(created, NOTE_AFTER) or not view.readable("EndpointSlice"):
        return
    ref = ref_of(row)
    slices = view.slices_of(ref.namespace, ref.name)
    if not slices and any(is_ready(p) for p in view.selected(row)):
        return  # Without any slice beside ready pods, endpoints are kept elsewhere or not at all.
    if any(e.conditions.ready is not False for s in slices for e in s.endpoints):
        return
    pods = view.selected(row)
    hosts = blast.hosts_of(ref.namespace, ref.name, view)
    ready = [p for p in pods if is_ready(p)]
    times = [
        c.last_transition_time
        for p in pods
        for c in p.status.conditions
        if c.type == "Ready" and c.status == "False" and c.last_transition_time
    ]
    since = max(times, default=None)
    behind_it = [] if pods else behind(row, view)
    idle = next((found for each in behind_it if (found := scaled_away(each, view))), None)
    if idle is not None and not (hosts or view.within(idle.at, FORGOTTEN)):
        return
    meant = idle is not None and (bool(idle.sign) or view.older(idle.at, FORGOTTEN))
    nearest = "" if pods or behind_it else _nearest(row, view)
    if not pods and not behind_it and not hosts and not nearest:
        return
    if not pods and not view.readable("Pod"):
        return  # Which pods it selects is not known.
    if pods and not ready and not any(view.older(_born(p), start_allowance(p.spec)) for p in pods):
        return  # They are about to start; their own findings say what delays them.
    if since is not None and not view.older(since, NOTE_AFTER):
        return
    young = view.young(since, UNREADY_GRACE) if pods else view.young(created, READY_GRACE)
    role = next((view.role(each) for each in (*pods, *behind_it)), "")
    ahead = f", behind {', '.join(hosts[:2])}" if hosts else ""
    why = f"none of {len(pods)} pods is ready" if len(pods) > 1 else "its only pod is not ready"
    callers = callers_of(ref, view) if idle is not None else []
    if idle is not None:
        named = f", and {', '.join(callers[:2])} {'name' if len(callers) > 1 else 'names'} it"
        why, since = idle.text + (named if callers else ""), idle.at
    elif behind_it:
        why, since = f"{ref_of(behind_it[0])} has no pod", created
    elif not pods:
        why = "no pod matches its selector" + (f" {nearest}" if nearest else "")
        edit = last_write(row.metadata, "f:spec", "f:selector")
        since = max((t for t in (created, edit.time if edit else None) if t), default=None)
    if ready:
        why = f"no endpoint lists its ready pods ({len(ready)})"
    yield make(
        "service-no-endpoints",
        ref,
        f"no ready endpoint: {why}{ahead}",
        Severity.INFO
        if idle is not None and (meant or not (hosts or callers)) and role not in ("dns", "ingress")
        else Severity.CRITICAL
        if hosts or role in ("dns", "ingress")
        else Severity.WARNING,
        "critical where an Ingress or the cluster's DNS stands on it; a note where the workload is "
        "scaled to 0, is neither, and no Ingress and no variable of a workload names it, or an "
        "automatic scaler did it, or it is so for over a day",
        young=young,
        since=since,
        source=SinceSource.CONDITION if since else SinceSource.FIRST_SEEN,
        evidence=[
            field_evidence(
                ref,
                "EndpointSlice",
                f"0 of {sum(len(s.endpoints) for s in slices)} endpoints ready",
            )
        ],
        related=[ref_of(p) for p in pods[:10]] or [ref_of(w) for w in behind_it],
        facts={
            "pods": len(pods),
            "not_ready": len(pods) - len(ready),
            "type": row.spec.type,
            "selector_matches": bool(pods or behind_it),
            "scaled_to_zero": str(idle.ref) if idle is not None else "",
            "scaled_by": idle.by if idle is not None else "",
            "scaled_automatically": bool(idle and idle.sign),
            "scaled_hour": f"{idle.at:%d %H}" if idle is not None and idle.at else "",
            "role": role,
            "hosts": hosts,
            "nearest": nearest,
        },
    )


def _nearest(row: Service, view: ClusterView) -> str:
    """`version=v2 (nearest: Deployment shop/api has version=v1)`: the pods that miss one label of
    a selector of several, or that have one label spelt nearly alike; "" for none."""
    from difflib import SequenceMatcher

    wanted = row.spec.selector
    best, text = 0.0, ""
    for pod in view.store.in_namespace("Pod", row.metadata.namespace).values():
        labels = pod.metadata.labels
        missed = [key for key, value in wanted.items() if labels.get(key) != value]
        if len(missed) != 1 or is_finished(pod):
            continue
        key = missed[0]
        has = labels.get(key, "")
        alike = SequenceMatcher(None, wanted[key], has).ratio()
        if (len(wanted) > 1 or alike >= ALIKE) and (alike > best or not text):
            found = f"{key}={has}" if has else f"no label {key}"
            best, text = alike, f"{key}={wanted[key]} (nearest: {view.owner(pod)} has {found})"
    if text:
        return text
    said = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        workload = view.store.get(kind, row.metadata.namespace, row.metadata.name)
        if workload is not None:
            labels = workload.spec.template.metadata.labels
            has = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
            return f"{said} (nearest: {ref_of(workload)} has {has or 'no label'})"
    return ""


def _born(pod: Pod) -> datetime | None:
    return pod.metadata.creation_timestamp


def internal(row: Service) -> bool:
    """Whether a load balancer is internal, by the annotations of the cloud providers."""
    for key, value in row.metadata.annotations.items():
        lowered = f"{key}={value}".lower()
        if (
            "load-balancer" in lowered
            and any(word in lowered for word in _INTERNAL)
            and value.lower() not in ("false", "internet-facing", "public")
        ):
            return True
    return False


@cluster_detector
def webhooks(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Admission webhooks with failurePolicy Fail whose Service has no ready endpoint: writes are
    refused cluster-wide."""
    if not view.readable("EndpointSlice"):
        return
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for key, row in sorted(view.store.rows(kind).items()):
            created = row.metadata.creation_timestamp
            if created is not None and not view.older(created, READY_GRACE):
                continue
            for hook in row.webhooks:
                service = hook.client_config.service
                if (
                    hook.failure_policy != "Fail"
                    or service is None
                    or _answers(service.namespace, service.name, view)
                ):
                    continue
                at = Ref("Service", service.namespace, service.name)
                gone = view.store.get(*at) is None
                refused = [
                    e
                    for e in view.events.reasons("FailedCreate")
                    if hook.name in e.message and view.recent(e.last, RECENT)
                ]
                ref = Ref(kind, *key)
                state = "does not exist" if gone else "has no ready endpoint"
                yield make(
                    "webhook-backend-down",
                    ref,
                    f"webhook {hook.name} must answer (failurePolicy Fail), and {at} {state}",
                    Severity.CRITICAL,
                    "writes that it covers are refused",
                    since=min((e.first for e in refused), default=None),
                    source=SinceSource.EVENT if refused else SinceSource.FIRST_SEEN,
                    detail=hook.name,
                    related=[at],
                    evidence=[
                        field_evidence(
                            ref, f"webhooks[{hook.name}]", f"failurePolicy Fail, {at} {state}"
                        ),
                        *(event_evidence(e) for e in refused[-2:]),
                    ],
                    facts={
                        "webhook": hook.name,
                        "service": f"{service.namespace}/{service.name}",
                        "timeout": hook.timeout_seconds,
                        "mutating": kind.startswith("M"),
                    },
                )


def _answers(namespace: str, name: str, view: ClusterView) -> bool:
    """Whether a Service has ready endpoints, or ready pods when it has no slices."""
    if blast.ready_endpoints(namespace, name, view):
        return True
    row = view.store.get("Service", namespace, name)
    if not isinstance(row, Service):
        return not view.readable("Service")
    if row.spec.type == "ExternalName" or not row.spec.selector:
        return not view.slices_of(namespace, name)
    return not view.slices_of(namespace, name) and any(is_ready(p) for p in view.selected(row))
