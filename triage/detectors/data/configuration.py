"""Secrets and ConfigMaps that are missing, seen over the whole cluster: one supplier, lost keys,
only new pods."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.managed_fields import data_keys, last_write
from cluster.kube.objects import Pod, Ref
from cluster.kube.pods import containers
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, field_evidence, make
from triage.facts.finding_index import FindingIndex

_START_FAILURES = ("pod-config-missing", "pod-crash-looping", "pod-container-create-failed")


def pattern(names: Iterable[str]) -> str:
    """What most names have in common, as a glob: `*-credentials`, `db-*`; "" when nothing of at
    least three characters."""
    distinct = sorted(set(names))
    if len(distinct) == 1:
        return distinct[0]
    tokens = [re.split(r"[-.]", n) for n in distinct]
    best = ""
    for side, glob in ((-1, "*-{}"), (0, "{}-*")):
        counts = Counter(t[side] for t in tokens if len(t) > 1)
        if counts:
            word, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
            if len(word) >= 3 and count * 5 >= 4 * len(distinct) and not best:
                best = glob.format(word)
    return best


@cluster_detector
def missing_across(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Secrets that do not exist and that pods of three or more namespaces need, or of three owners
    with one name pattern (story 003 #8)."""
    findings = [
        f
        for f in index.rule("pod-config-missing")
        if f.facts["kind"] == "Secret" and not f.facts["key"] and f.facts["exists"] is not True
    ]
    namespaces = {f.object.namespace for f in findings}
    owners = {(f.object.namespace, f.facts.get("owner") or f.object.name) for f in findings}
    secrets = {(f.object.namespace, str(f.facts["name"])) for f in findings}
    common = pattern(name for _, name in secrets)
    if len(secrets) < 2 or not (
        len(namespaces) >= 3 or (len(owners) >= 3 and (common or len(secrets) >= 3))
    ):
        return
    pods = {f.object for f in findings}
    first = min((f.since for f in findings if f.since), default=None)
    only_new, _ = _only_new(
        [p for p in (view.store.get(*r) for r in pods) if isinstance(p, Pod)], index
    )
    supplier = _supplier(view, common)
    alike = f" ({common})" if common else ""
    by = f", siblings are written by {supplier}" if supplier else ""
    yield make(
        "secret-missing-across-namespaces",
        CLUSTER,
        f"{len(pods)} pods in {len(namespaces)} namespaces wait for {len(secrets)} Secrets that "
        f"do not exist{alike}{by}",
        Severity.CRITICAL,
        "the same failure in several namespaces has one supplier",
        since=first,
        source=SinceSource.EVENT,
        related=[*sorted(pods)[:20]],
        evidence=[e for f in findings[:4] for e in f.evidence[:1]],
        facts={
            "namespaces": len(namespaces),
            "pods": len(pods),
            "pattern": common,
            "only_new": only_new,
            "supplier": supplier,
        },
    )


def _supplier(view: ClusterView, common: str) -> str:
    """The field manager of Secrets with names similar to the missing ones."""
    if "*" not in common:
        return ""
    head, _, tail = common.partition("*")
    managers: Counter[str] = Counter()
    for (_, name), row in view.store.rows("Secret").items():
        if name.startswith(head) and name.endswith(tail):
            write = last_write(row.metadata)
            if write is not None:
                managers[write.manager] += 1
    return min(managers.items(), key=lambda item: (-item[1], item[0]))[0] if managers else ""


@cluster_detector
def keys_lost(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Secrets that exist without the keys that pods need, written shortly before by one manager
    (story 000): several at once.

    Own snapshots (a key that was seen before) and Secrets emptied while watched count as well.
    """
    affected: dict[Ref, list[Finding]] = {}
    for finding in index.rule("pod-config-missing"):
        if (
            finding.facts["kind"] == "Secret"
            and finding.facts["key"]
            and finding.facts["exists"] is not False
        ):
            affected.setdefault(
                Ref("Secret", finding.object.namespace, str(finding.facts["name"])), []
            ).append(finding)
    written: dict[str, list[tuple[datetime, Ref]]] = {}
    emptied: set[Ref] = set()
    for key, row in view.store.rows("Secret").items():
        ref = Ref("Secret", *key)
        write = last_write(row.metadata)
        if write is None or write.time is None or not view.recent(write.time, timedelta(hours=24)):
            continue
        created = row.metadata.creation_timestamp
        empty = (
            data_keys(row.metadata) == frozenset()
            and created is not None
            and write.time - created > timedelta(minutes=1)
        )
        if empty:
            emptied.add(ref)
        begun = min((f.since for f in affected.get(ref, ()) if f.since), default=None)
        # Who writes after pods have failed may have put values back: that is no cause.
        if empty or (ref in affected and (begun is None or write.time <= begun)):
            written.setdefault(write.manager, []).append((write.time, ref))
    for ref in affected:
        if not any(ref == r for group in written.values() for _, r in group):
            written.setdefault("", []).append(
                (min((f.since for f in affected[ref] if f.since), default=view.now), ref)
            )
    for manager, group in sorted(written.items()):
        group.sort()
        refs = sorted({r for _, r in group})
        findings = [f for r in refs for f in affected.get(r, [])]
        if len(refs) < 2 and not (findings and manager):
            continue
        if not findings and (len(refs) < 3 or (group[-1][0] - group[0][0]) > timedelta(minutes=10)):
            continue
        span = int((group[-1][0] - group[0][0]).total_seconds())
        namespaces = {r.namespace for r in refs}
        pods = {f.object for f in findings} | _crashing(refs, group[0][0], view, index)
        who = (
            f", last written by {manager}"
            + ("" if len(refs) == 1 else f" within {durations.words(max(span, 1))}")
            if manager
            else ""
        )
        lone = len(refs) == 1
        what = "is empty" if lone else "are empty"
        if len(emptied & set(refs)) < len(refs):
            what = "lost keys"
        which = f"Secret {refs[0].name}" if lone else f"{len(refs)} Secrets"
        where = f"namespace {refs[0].namespace}"
        if len(namespaces) > 1:
            where = f"{len(namespaces)} namespaces"
        unable = "1 pod" if len(pods) == 1 else f"{len(pods)} pods"
        yield make(
            "secret-keys-lost",
            CLUSTER,
            f"{which} in {where} {what}{who}; {unable} cannot start",
            Severity.CRITICAL if len(refs) >= 2 else Severity.WARNING,
            "existing Secrets without the keys that pods need (critical from two on)",
            since=group[0][0],
            source=SinceSource.MANAGED_FIELDS if manager else SinceSource.EVENT,
            detail=manager,
            related=[*refs[:20], *sorted(pods)[:20]],
            evidence=[
                *(
                    field_evidence(
                        r,
                        "metadata.managedFields",
                        f"written by {manager or '?'}" + (", no key left" if r in emptied else ""),
                        t,
                    )
                    for t, r in group[:6]
                ),
                *(e for f in findings[:3] for e in f.evidence[:1]),
            ],
            facts={
                "secrets": len(refs),
                "namespaces": len(namespaces),
                "manager": manager,
                "within_seconds": span,
                "pods": len(pods),
                "seen": bool(emptied & set(refs)),
            },
        )


def _crashing(
    secrets: Iterable[Ref], since: datetime, view: ClusterView, index: FindingIndex
) -> set[Ref]:
    """Pods that read one of these Secrets and crash since it was written: a missing optional
    variable has that effect."""
    wanted = set(secrets)
    found: set[Ref] = set()
    for finding in index.rule("pod-crash-looping"):
        pod = view.store.get(*finding.object)
        if (
            isinstance(pod, Pod)
            and (finding.since is None or finding.since >= since)
            and wanted & secrets_of(pod)
        ):
            found.add(finding.object)
    return found


def secrets_of(pod: Pod) -> set[Ref]:
    """The Secrets that a pod reads, as volumes or variables."""
    names = {v.secret.secret_name for v in pod.spec.volumes if v.secret is not None}
    for container in containers(pod.spec):
        names.update(e.secret_ref.name for e in container.env_from if e.secret_ref is not None)
        names.update(
            e.value_from.secret_key_ref.name
            for e in container.env
            if e.value_from is not None and e.value_from.secret_key_ref is not None
        )
    return {Ref("Secret", pod.metadata.namespace, n) for n in names if n}


def _only_new(pods: list[Pod], index: FindingIndex) -> tuple[bool, int]:
    """Whether every pod created since the first of these fails (three of four), and how many were
    created since."""
    created = [p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp]
    if not created:
        return False, 0
    since = index.population.created_since(min(created))
    return len(pods) * 4 >= since * 3, since


@cluster_detector
def new_pods_failing(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Three of four pods created after a moment fail to start while all older ones live: what a
    start needs is gone (story 000)."""
    failing: dict[Ref, list[Finding]] = {}
    for rule in _START_FAILURES:
        for finding in index.rule(rule):
            if finding.severity != Severity.INFO:
                failing.setdefault(finding.object, []).append(finding)
    ready = functools.cache(view.node_ready)
    pods = [
        p
        for p in (view.store.get(*r) for r in failing)
        if isinstance(p, Pod)
        and p.metadata.creation_timestamp
        and view.recent(p.metadata.creation_timestamp, timedelta(hours=24))
        and ready(p.spec.node_name)
    ]
    only_new, since = _only_new(pods, index)
    owners = {view.owner(p) for p in pods} if only_new and len(pods) >= 3 else set[Ref]()
    if len(owners) < 2:
        return
    at = min(p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp)
    namespaces = {p.metadata.namespace for p in pods}
    older = index.population.total - since
    if older < since:
        return
    yield make(
        "new-pods-failing",
        CLUSTER,
        f"{len(pods)} of {since} pods created since {at:%H:%M:%S} UTC fail to start, {older} "
        "older ones do not",
        Severity.WARNING,
        "three of four new pods of two or more owners",
        since=at,
        source=SinceSource.CREATION,
        related=[ref_of(p) for p in pods[:20]],
        evidence=[
            Evidence(
                f"Pod {p.metadata.namespace}/{p.metadata.name}",
                failing[ref_of(p)][0].claim,
                p.metadata.creation_timestamp,
            )
            for p in pods[:4]
        ],
        facts={
            "owners": len(owners),
            "namespaces": len(namespaces),
            "failing": len(pods),
            "new": since,
            "at": at.isoformat(),
        },
    )
