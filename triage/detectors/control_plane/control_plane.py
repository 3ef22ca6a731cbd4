"""The control plane: its pods, and messages about etcd, the API server and name look-ups."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from datetime import timedelta

from cluster.kube import durations
from cluster.kube.objects import Lease, Pod
from cluster.kube.pods import is_finished
from cluster.live.freshness import WatchState
from triage.detectors.control_plane.cluster_services import began, health, sick, spoken
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, event_evidence, field_evidence, from_events, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.control_plane import api_refused
from triage.facts.messages.wording import first_owners
from triage.facts.windows import EDGE, RECENT


@cluster_detector
def control_plane(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Static pods of the control plane by component, in clusters that show them."""
    groups: dict[str, list[Pod]] = {}
    for key, component in sorted(index.population.control_plane.items()):
        pod = view.store.get("Pod", *key)
        if isinstance(pod, Pod) and not is_finished(pod):
            groups.setdefault(component, []).append(pod)
    for component, pods in sorted(groups.items()):
        state = health(pods, view)
        # One restart within the hour is reported for an OOM kill, the API server or etcd.
        probes = [
            e
            for p in pods
            for e in view.events_of(p)
            if e.reason in ("Unhealthy", "ProbeError")
            and view.recent(e.last, EDGE)
            and not e.message.startswith("Startup")
        ]
        unhealthy = sum(e.count for e in probes)
        if (
            unhealthy < 3
            and not sick(state)
            and not (state.restarted and component in ("kube-apiserver", "etcd") and state.fresh)
        ):
            continue
        parts = spoken(state)
        if unhealthy >= 3:
            parts.append(f"{unhealthy} failed probes")
        core = component in ("kube-apiserver", "etcd")
        bad = (state.ready < state.total or state.oom or state.looping) and not state.recovered
        yield make(
            "control-plane-degraded",
            CLUSTER,
            f"{component}: {', '.join(parts)} within the hour",
            Severity.CRITICAL
            if core and bad and state.fresh
            else Severity.WARNING
            if state.fresh or unhealthy >= 3
            else Severity.INFO,
            "critical for the API server and etcd until all are ready for 10 min",
            since=min(
                [t for t in (began(state), *(e.first for e in probes)) if t is not None],
                default=None,
            ),
            source=SinceSource.STATUS,
            detail=component,
            active=(state.fresh and not state.recovered) or unhealthy >= 3,
            evidence=(*state.evidence, *(event_evidence(e) for e in probes[-2:]))
            or [field_evidence(ref_of(pods[0]), "status", parts[0])],
            related=[ref_of(p) for p in pods[:10]],
            facts={
                "component": component,
                "ready": state.ready,
                "total": state.total,
                "oom_killed": state.oom,
                "restarted": state.restarted,
                "unhealthy": unhealthy,
                "burstable": view.burstable_control_plane(),
            },
        )


@cluster_detector
def errors_in_messages(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Event messages within the hour about errors of etcd, the API server and name look-ups."""
    etcd: list[tuple[str, EventFact]] = []
    api: list[EventFact] = []
    lookups: list[tuple[str, EventFact]] = []
    for event, said in view.events.with_signs():
        if not view.recent(event.last, RECENT) or _of_the_gone(event, view):
            continue
        if said.etcd:
            etcd.append((said.etcd, event))
        elif said.api:
            api.append(event)
        elif not _of_a_pull(event):
            lookups.append((said.lookup, event))
    if etcd:
        etcd.sort(key=lambda item: (item[1].last, item[1].uid))
        count, objects = sum(e.count for _, e in etcd), {e.about for _, e in etcd}
        kind = max(
            sorted({k for k, _ in etcd}), key=lambda k: sum(e.count for kk, e in etcd if kk == k)
        )
        if count >= 2 or kind == "no-space":
            where = f"{count} messages about {_objects(objects)}"
            yield make(
                "etcd-errors-in-messages",
                CLUSTER,
                f"etcd is out of space and takes no writes (no-space in {where})"
                if kind == "no-space"
                else f"etcd errors in {where}: {kind}",
                Severity.CRITICAL if kind == "no-space" else _fresh([e for _, e in etcd], view),
                "errors of etcd within half an hour, then a note for an hour",
                since=min(e.first for _, e in etcd),
                source=SinceSource.EVENT,
                evidence=[event_evidence(e) for _, e in etcd[-4:]],
                related=sorted(objects)[:10],
                facts={"count": count, "objects": len(objects), "kind": kind},
            )
    if len(api) >= 2 or sum(e.count for e in api) >= 3:
        api.sort(key=lambda e: (e.last, e.uid))
        objects = {e.about for e in api}
        refused = sum(e.count for e in api if api_refused(e.message))
        mostly = refused * 2 > sum(e.count for e in api)
        does = "has too many requests and refuses some" if mostly else "did not answer"
        yield make(
            "api-errors-in-messages",
            CLUSTER,
            f"{sum(e.count for e in api)} messages about {_objects(objects)} say that the API "
            f"server {does}",
            _fresh(api, view),
            "components that did not reach the API server within half an hour, then a note",
            **from_events(api, 4),
            related=sorted(objects)[:10],
            facts={
                "count": sum(e.count for e in api),
                "objects": len(objects),
                "refused": refused if mostly else 0,
            },
        )
    owners = {
        view.owner(p) if isinstance(p := view.store.get(*e.about), Pod) else e.about
        for _, e in lookups
    }
    if len(owners) >= 2 or sum(e.count for _, e in lookups) >= 5:
        lookups.sort(key=lambda item: (item[1].last, item[1].uid))
        namespaces = {o.namespace for o in owners}
        kind = "timeout" if any(k == "timeout" for k, _ in lookups) else "not-found"
        yield make(
            "dns-lookups-failing",
            CLUSTER,
            f"messages of {first_owners((o.namespace, o.name) for o in owners)} in "
            f"{len(namespaces)} namespaces report name look-ups that fail ({kind})",
            _fresh([e for _, e in lookups], view),
            "look-ups that fail for two owners or five times, a note after half an hour",
            since=min(e.first for _, e in lookups),
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for _, e in lookups[-4:]],
            related=sorted(owners)[:10],
            facts={"owners": len(owners), "namespaces": len(namespaces), "kind": kind},
        )


def _fresh(events: list[EventFact], view: ClusterView) -> Severity:
    """A warning while the newest is of the last half hour; what is over is a note."""
    newest = max(e.last for e in events)
    return Severity.WARNING if view.within(newest, EDGE) else Severity.INFO


def _of_a_pull(event: EventFact) -> bool:
    """Whether a node does not find a registry: it asks the name servers of the node, not those of
    the cluster."""
    return event.about.kind == "Pod" and "pull" in event.message and "image" in event.message


_SHORT_PAST = timedelta(minutes=10)


def _objects(objects: Sized) -> str:
    return f"{len(objects)} object{'s' if len(objects) > 1 else ''}"


def _of_the_gone(event: EventFact, view: ClusterView) -> bool:
    """Whether a message is about a deleted pod and is no longer fresh, so that its fault is
    over."""
    return (
        event.about.kind == "Pod"
        and not view.recent(event.last, _SHORT_PAST)
        and view.readable("Pod")
        and view.store.get(*event.about) is None
    )


@cluster_detector
def leader_changes(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """`became leader` events of control plane components, three or more of one within the hour:
    they lost the API server or etcd. A note beside pods that no scheduler has reported on, because
    these tell what a scheduler that was restarted again and again has left undone."""
    groups: dict[str, list[EventFact]] = {}
    for event in view.events.reasons("LeaderElection"):
        if view.recent(event.last, RECENT) and event.about.namespace in ("kube-system", ""):
            groups.setdefault(event.about.name, []).append(event)
    often = {name: g for name, g in groups.items() if _within_the_hour(g, view) >= 3}
    if not often:
        return
    every = sorted((e for g in often.values() for e in g), key=lambda e: (e.last, e.uid))
    told = set(often) == {"kube-scheduler"} and any(index.rule("pod-not-scheduled"))
    yield make(
        "leader-changes",
        CLUSTER,
        f"{', '.join(sorted(often))} changed leader {_within_the_hour(every, view)} times within "
        "the hour",
        Severity.INFO if told else Severity.WARNING,
        "three or more changes of one component; a note beside pods that wait for the scheduler",
        **from_events(every, 4),
        facts={"count": _within_the_hour(every, view), "components": tuple(sorted(often))},
    )


def _within_the_hour(events: list[EventFact], view: ClusterView) -> int:
    """How often they happened within the hour. The count of an older event covers more."""
    return sum(
        e.count
        if view.recent(e.first, RECENT)
        else len([t for t in e.times if view.recent(t, RECENT)])
        for e in events
    )


@cluster_detector
def unreachable(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Every kind that was live is stale: the API server does not answer. Only a refused connection
    comes from its host; a name, a route or a time limit may have failed on this side."""
    states = [
        f
        for f in view.freshness.values()
        if f.state in (WatchState.LIVE, WatchState.STALE, WatchState.LOADING, WatchState.WAITING)
    ]
    stale = [
        f
        for f in states
        if f.state is WatchState.STALE
        or (f.state in (WatchState.LOADING, WatchState.WAITING) and f.reason)
    ]
    if not states or len(stale) < len(states):
        return
    heard = [f.heard for f in stale if f.heard is not None]
    since = max(heard, default=None)
    in_front = any(_IN_FRONT in f.reason for f in stale)
    facts: dict[str, Fact] = {
        "kinds": len(stale),
        "since": since.isoformat() if since else "",
        "answer": (
            "front"
            if in_front
            else "refused"
            if any(said in f.reason for f in stale for said in _REFUSED)
            else "none"
        ),
    }
    yield make(
        "api-server-unreachable",
        CLUSTER,
        (
            "something in front of the API server answers in its place"
            if in_front
            else "the API server does not answer"
        )
        + (f"; last heard at {since:%H:%M:%S} UTC" if since else ""),
        Severity.CRITICAL,
        "no kind is live",
        since=since or view.now,
        source=SinceSource.FIRST_SEEN,
        evidence=[
            Evidence(f"watch of {f.kind}", f.reason or f.state.value, f.heard)
            for f in sorted(stale, key=lambda f: f.kind)[:4]
        ],
        facts=facts,
    )


_IN_FRONT = "in front of the API server answers"
"""What the errors of `cluster.api.intermediaries` say."""
_REFUSED = ("refuses the connection", "refuses: the host is up")
"""What `cluster.api.error_messages` and `cluster.health.ladder` say of a refused connection."""
_COMPONENTS = {
    "kube-scheduler": "new pods are not scheduled",
    "kube-controller-manager": "no controller acts: nothing is created, replaced or collected",
    "cloud-controller-manager": "load balancers, routes and nodes of the cloud are not kept",
}
"""Leases in kube-system that the leaders of these components renew every two seconds, with what
stops without them."""
_AWAY = timedelta(seconds=60)
_LEFT_OVER = timedelta(days=1)
"""A Lease that was not renewed for longer belongs to a component that is no longer used."""


@cluster_detector
def components_away(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """A component whose Lease is not renewed while other Leases are. Compared with the newest Lease
    of all, so that clocks that differ and a recorded cluster do no harm."""
    rows = [r for r in view.store.all("Lease", Lease) if r.spec.renew_time is not None]
    newest = max((r.spec.renew_time for r in rows if r.spec.renew_time), default=None)
    for row in rows:
        name, renewed = row.metadata.name, row.spec.renew_time
        if (
            newest is None
            or renewed is None
            or row.metadata.namespace != "kube-system"
            or name not in _COMPONENTS
            or not _AWAY < newest - renewed <= _LEFT_OVER
        ):
            continue
        seconds = int((newest - renewed).total_seconds())
        yield make(
            "component-away",
            CLUSTER,
            f"{name} is away: its Lease has not been renewed for {durations.words(seconds)} "
            f"({_COMPONENTS[name]})",
            Severity.WARNING if name.startswith("cloud") else Severity.CRITICAL,
            "a Lease that is not renewed for over a minute while others are",
            since=renewed,
            source=SinceSource.STATUS,
            detail=name,
            evidence=[field_evidence(ref_of(row), "spec.renewTime", renewed.isoformat(), renewed)],
            facts={"component": name, "holder": row.spec.holder_identity, "seconds": seconds},
        )
