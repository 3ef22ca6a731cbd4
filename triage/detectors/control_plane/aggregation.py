"""APIs beside the built-in ones that are not available: aggregated ones, and custom resources."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.conditions import condition_of, is_true
from cluster.kube.objects import APIService, HorizontalPodAutoscaler, Namespace, Ref
from triage.detectors.registry import cluster_detector, object_detector
from triage.facts import blast_radius as blast
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import quoted
from triage.facts.windows import NOTE_AFTER, READY_GRACE

_METRICS = {
    "metrics.k8s.io": ("FailedGetResourceMetric", "FailedGetContainerResourceMetric"),
    "custom.metrics.k8s.io": ("FailedGetPodsMetric", "FailedGetObjectMetric"),
    "external.metrics.k8s.io": ("FailedGetExternalMetric",),
}
"""Groups that autoscalers read, with the reasons that they give without one
(pkg/controller/podautoscaler)."""


@object_detector("APIService")
def unavailable(row: APIService, view: ClusterView) -> Iterator[Finding]:
    """Available is False for longer than a restart of its backend takes."""
    available = condition_of(row.status.conditions, "Available", "False")
    if available is None or row.spec.service is None:
        return
    since = available.last_transition_time or row.metadata.creation_timestamp
    if not view.older(since, NOTE_AFTER):
        return
    ref, group = ref_of(row), row.spec.group
    at = Ref("Service", row.spec.service.namespace, row.spec.service.name)
    backend, why = _backend(at, view)
    scalers = [
        ref_of(h)
        for h in view.store.all("HorizontalPodAutoscaler", HorizontalPodAutoscaler)
        if any(
            c.status == "False" and c.reason in _METRICS.get(group, ()) for c in h.status.conditions
        )
    ]
    waiting = [
        ref_of(n)
        for n in view.store.all("Namespace", Namespace)
        if n.metadata.deletion_timestamp is not None
        and is_true(n.status.conditions, "NamespaceDeletionDiscoveryFailure")
    ]
    blind = ["kubectl top"] if group == "metrics.k8s.io" else []
    blind += (
        [f"{len(scalers)} autoscalers" if len(scalers) > 1 else "1 autoscaler"] if scalers else []
    )
    blind += ["the deletion of namespaces"] if waiting else []
    without = f" (blind without it: {', '.join(blind)})" if blind else ""
    yield make(
        "apiservice-unavailable",
        ref,
        f"is not available: {why or f'{available.reason}: {quoted(available.message)}'}{without}",
        Severity.WARNING,
        "calls to its group fail, and namespaces cannot be deleted",
        since=since,
        source=SinceSource.CONDITION,
        young=view.young(since, READY_GRACE),
        evidence=[condition_evidence(ref, available)],
        facts={
            "group": group,
            "reason": available.reason,
            "service": f"{at.namespace}/{at.name}",
            "backend": backend,
            "blind": tuple(blind),
        },
        related=[at, *scalers[:10], *waiting[:5]],
    )


def _backend(at: Ref, view: ClusterView) -> tuple[str, str]:
    """(missing, no-endpoint or ready; why in words, "" where the condition says more)."""
    if view.store.get(*at) is None:
        return (
            ("missing", f"its {at} does not exist") if view.readable("Service") else ("ready", "")
        )
    if view.readable("EndpointSlice") and not blast.ready_endpoints(at.namespace, at.name, view):
        return "no-endpoint", f"its {at} has no ready pod"
    return "ready", ""


@cluster_detector
def definitions(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Custom resources that cannot be read or written: a name that another one has, a definition
    that is not established, a conversion webhook that is away."""
    sample = view.sources.definitions
    for one in sample.values if sample is not None else ():
        ref = Ref("CustomResourceDefinition", "", one.name)
        row = view.store.get(*ref)
        if row is None or row.metadata.deletion_timestamp is not None:
            continue
        false = {c.type: c for c in one.conditions if c.status == "False"}
        said = false.get("NamesAccepted") or false.get("Established")
        since = said.last_transition_time if said is not None else None
        since = since or row.metadata.creation_timestamp
        if said is not None and view.older(since, NOTE_AFTER):
            why = f"{said.reason}: {quoted(said.message)}" if said.message else said.reason
            what = (
                "its names are not accepted" if said.type == "NamesAccepted" else "not established"
            )
            yield make(
                "crd-not-served",
                ref,
                f"{one.kind} is not served: {what} ({why})",
                Severity.WARNING,
                "objects of its kind cannot be read or written",
                since=since,
                source=SinceSource.CONDITION,
                young=view.young(since, READY_GRACE),
                evidence=[condition_evidence(ref, said)],
                facts={"kind": one.kind, "condition": said.type, "reason": said.reason},
            )
        if one.conversion is None:
            continue
        backend, why = _backend(one.conversion, view)
        if backend != "ready":
            yield make(
                "crd-conversion-away",
                ref,
                f"{one.kind} cannot be converted between its versions: {why} (conversion webhook)",
                Severity.WARNING,
                "objects of its kind in other versions cannot be read or written",
                evidence=[
                    field_evidence(
                        ref, "spec.conversion.webhook.clientConfig.service", str(one.conversion)
                    )
                ],
                facts={
                    "kind": one.kind,
                    "service": f"{one.conversion.namespace}/{one.conversion.name}",
                    "backend": backend,
                },
                related=[one.conversion],
            )
