"""StatefulSets that keep their data in emptyDir."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import StatefulSet
from cluster.kube.pods import is_finished
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import INCIDENT, READY_GRACE


@object_detector("StatefulSet")
def data_in_emptydir(row: StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """A StatefulSet without claims whose template was edited within hours, so that its pods came up
    empty (story 002 Flant)."""
    spec = row.spec.template.spec
    if row.spec.volume_claim_templates or any(
        v.persistent_volume_claim or v.host_path for v in spec.volumes
    ):
        return
    if not any(v.empty_dir is not None and v.empty_dir.medium != "Memory" for v in spec.volumes):
        return
    created = row.metadata.creation_timestamp
    edit = last_write(row.metadata, "f:spec", "f:template") or last_write(row.metadata, "f:spec")
    rolling = (
        bool(row.status.update_revision)
        and row.status.current_revision != row.status.update_revision
    )
    at = edit.time if edit else None
    if at is not None and created is not None and at - created < READY_GRACE:
        at = None
    ref = ref_of(row)
    pods = [p for p in view.pods_of(ref) if not is_finished(p)]
    recent = [
        p
        for p in pods
        if p.metadata.creation_timestamp
        and created
        and p.metadata.creation_timestamp - created > READY_GRACE
    ]
    restarted = [
        p
        for p in recent
        if p.metadata.creation_timestamp
        and (
            view.within(p.metadata.creation_timestamp, INCIDENT)
            if at is None
            else p.metadata.creation_timestamp >= at
        )
    ]
    known = at is not None or rolling
    if (
        at is None
        and created is not None
        and len(restarted) >= 2
        and len(restarted) * 2 >= len(pods)
    ):
        at = min(
            (p.metadata.creation_timestamp for p in restarted if p.metadata.creation_timestamp),
            default=None,
        )
    if not rolling and not (view.within(at, 3 * INCIDENT) and restarted):
        return
    fresh = known and (rolling or view.within(at, INCIDENT))
    by = edit.manager if edit and at else ""
    what = (
        f"{len(restarted)} of {len(pods)} pods were recreated"
        if restarted
        else "its pods are being replaced"
    )
    yield make(
        "stateful-on-emptydir",
        ref,
        f"keeps its data in emptyDir, was edited{f' by {by}' if by else ''}, and {what}",
        Severity.WARNING if fresh else Severity.INFO,
        "an edit within two hours that restarts pods without claims",
        since=at,
        source=SinceSource.MANAGED_FIELDS if at else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "spec", "emptyDir volumes, no volumeClaimTemplates", at)],
        related=[ref_of(p) for p in restarted],
        facts={
            "edited_by": by,
            "edited_at": at.isoformat() if at else "",
            "restarted": len(restarted),
            "pods": len(pods),
            "rolling": rolling,
        },
    )
