"""The findings of detectors: of one object, and of those over the cluster, which are kept from
report to report while nothing that they read has changed."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from cluster.kube.objects import Object, Ref
from triage.detectors.registry import OBJECT_DETECTORS, ClusterDetector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, SinceSource
from triage.facts.finding_index import FindingIndex
from triage.facts.odd_objects import odd_time, reason
from triage.facts.reads.results import Reads


def detected(
    detect: ClusterDetector, view: ClusterView, index: FindingIndex, reads: Reads
) -> tuple[tuple[Finding, ...], datetime | None]:
    """What a detector finds, and when it is to look again. Raises what the detector raises."""
    now = view.now
    known = reads.kept(detect, now)
    if known is not None:
        return known.value, known.due
    before: tuple[Finding, ...] = reads.last(detect) or ()
    after: tuple[Finding, ...] = ()
    reads.drop((detect,))
    view.begin()
    try:
        found = list(detect(view, index))
        after = with_same(before, (without_odd_since(each, now) for each in found))
        reads.clock = reads.clock or any(odd_time(each.since, now) for each in found)
    finally:
        touch_findings(before, after, reads)
    reads.keep(detect, after, now, view.due)
    return after, view.due


def with_same(before: tuple[Finding, ...], after: Iterable[Finding]) -> tuple[Finding, ...]:
    """`after`, with the objects of `before` where they are equal: what rests on them is kept."""
    known = {finding.id: finding for finding in before}
    return tuple(old if (old := known.get(f.id)) == f and old is not None else f for f in after)


def touch_findings(before: Sequence[Finding], after: Sequence[Finding], reads: Reads) -> None:
    """Touch where findings are read that are among one of the two alone."""
    if len(before) == len(after) and all(map(operator.is_, before, after)):
        return
    both = {id(finding) for finding in before} & {id(finding) for finding in after}
    for finding in (*before, *after):
        if id(finding) not in both:
            reads.touch_finding(finding.rule, finding.object)


def without_odd_since(finding: Finding, now: datetime) -> Finding:
    """The finding without a beginning that cannot be true."""
    if not odd_time(finding.since, now):
        return finding
    return replace(finding, since=None, since_source=SinceSource.FIRST_SEEN)


def run_detectors(
    ref: Ref, row: Object, view: ClusterView
) -> tuple[tuple[Finding, ...], str, bool]:
    """Findings of the detectors of its kind for one object, why one of them failed (or ""), and
    whether they read a time that cannot be true."""
    view.begin()
    found: list[Finding] = []
    why = ""
    for detect in OBJECT_DETECTORS.get(ref.kind, ()):
        try:
            found.extend(detect(row, view))
        except Exception as error:  # An odd object costs only itself.
            why = reason(error)
    return tuple(found), why, view.odd or any(odd_time(f.since, view.now) for f in found)
