"""The drills as triage and matcher see them: expanded once a session, judged without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from cli.documents import overall
from cluster.kube.kinds import BY_NAME, KINDS
from cluster.kube.objects import Object
from cluster.kube.prometheus import samples
from cluster.live.freshness import Freshness, WatchState
from cluster.live.live_cluster import LiveCluster
from cluster.live.store import Store
from drills.pods import logs
from drills.pods.statistics import Measurements
from drills.scenario.catalogue import load
from drills.scenario.expand import expand, objects
from drills.scenario.model import GroundTruth, Scenario, parse
from drills.scenario.world import World
from incident.cadence import Cadence
from incident.metrics.disks import disk_usage, short_of_disk
from incident.metrics.last_words import LINES, EndedLog, LastWordsReader
from incident.metrics.usage import container_usage
from incident.view import SymptomView
from tests import shipped
from triage.engine import triage_once
from triage.facts.finding import Report, Severity
from triage.facts.measurements import Sample, Sources

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
Raw = dict[str, Any]
Change = Callable[[Raw], Raw | None]
"""An object as it is served -> as it is served without something; None when it is not served at
all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What `stanch triage` says of a cluster. `ranked` is every runbook as (id, score, confident),
    best first."""

    report: Report
    symptoms: tuple[SymptomView, ...]
    ranked: tuple[tuple[str, float, bool], ...]

    @property
    def confident(self) -> list[str]:
        return [runbook for runbook, _, sure in self.ranked if sure]

    @property
    def first_three(self) -> list[str]:
        return [runbook for runbook, _, _ in self.ranked[:3]]

    @property
    def warnings(self) -> list[SymptomView]:
        return [view for view in self.symptoms if view.symptom.severity is not Severity.INFO]


@cache
def rows(name: str) -> tuple[Raw, ...]:
    """The objects of a drill. Shared between tests: a test that changes one copies it first."""
    return _kept(objects(load(name), NOW))


@cache
def calm() -> tuple[Raw, ...]:
    """A healthy cluster with all that a hurried reader would blame."""
    decoys = ["rollout", "cordon", "settled", "policy", "configmap", "scaled"]
    raw = {
        "id": "calm",
        "title": "-",
        "story": {"file": "-"},
        "description": "-",
        "decoys": decoys,
        "answer": {"runbook": ""},
    }
    return _kept(objects(parse(raw, "calm"), NOW))


@cache
def answer(name: str) -> GroundTruth:
    return load(name).answer


@cache
def guides() -> frozenset[str]:
    """Ids of the pages for everyday faults, which fit a part of many a story, too."""
    return frozenset(one.id for one in shipped.matcher().library.runbooks if one.guide)


@cache
def _decoded() -> dict[int, Object]:
    """Decoded objects by the identity of their source, for sources that live as long as the
    session: most gates change a few only."""
    return {}


def _kept(found: list[Raw]) -> tuple[Raw, ...]:
    _decoded().update((id(raw), _decode(raw)) for raw in found if raw["kind"] in BY_NAME)
    return tuple(found)


def _decode(raw: Raw) -> Object:
    return msgspec.convert(raw, BY_NAME[raw["kind"]].type, strict=False)


def figures(scenario: Scenario) -> Sources:
    """The use of each container of a drill, from two pages of its kubelets a minute apart."""
    world = expand(scenario, NOW)
    pods = [pod for pod in world.of("Pod") if pod["status"].get("phase") == "Running"]
    before, after = (
        list(samples(Measurements(world.surroundings, at, world.zone_of).cadvisor(pods)))
        for at in (NOW - timedelta(minutes=1), NOW)
    )
    used = container_usage(before, after, 60.0, {}, {})
    return Sources(containers=Sample(NOW, 60.0, tuple(used)))


def disks(scenario: Scenario, report: Report) -> Sources:
    """What the kubelets of a drill say of the disks that a report calls short, as the program asks
    them."""
    world = expand(scenario, NOW)
    measured = Measurements(world.surroundings, NOW, world.zone_of)
    short = {name for finding in report.findings if (name := short_of_disk(finding))}
    found = [
        disk_usage(
            name,
            measured.summary(
                node, [pod for pod in world.of("Pod") if pod["spec"].get("nodeName") == name]
            ),
        )
        for name in sorted(short)
        if (node := world.get("Node", "", name)) is not None
    ]
    values = tuple(one for one in found if one is not None)
    return Sources(disks=Sample(NOW, 0.0, values) if values else None)


def judge(
    served: Iterable[Raw],
    change: Change = lambda raw: raw,
    forbidden: Collection[str] = (),
    sources: Sources | None = None,
) -> Seen:
    """Triage and ranking of objects as one look sees them; `forbidden` kinds are known not to be
    readable, `sources` are figures beside the objects."""
    return _judge(_store(served, change, forbidden), forbidden, sources)


def _store(
    served: Iterable[Raw], change: Change = lambda raw: raw, forbidden: Collection[str] = ()
) -> Store:
    store, kinds = Store(), dict[str, list[Object]]()
    for raw in served:
        changed = change(raw) if raw["kind"] in BY_NAME and raw["kind"] not in forbidden else None
        if changed is not None:
            kinds.setdefault(changed["kind"], []).append(
                _decoded().get(id(changed)) or _decode(changed)
            )
    for kind, decoded in kinds.items():
        store.apply(kind, decoded)
    return store


def _judge(store: Store, forbidden: Collection[str], sources: Sources | None) -> Seen:
    read = {
        kind.name: Freshness(
            kind.name,
            WatchState.FORBIDDEN if kind.name in forbidden else WatchState.LIVE,
            store.count(kind.name),
            heard=NOW,
        )
        for kind in KINDS
    }
    report = triage_once(store, NOW, read, sources)
    symptoms = tuple(
        SymptomView(symptom, tuple(shipped.matcher().match_symptom(symptom, report)))
        for symptom in report.symptoms
    )
    return Seen(
        report,
        symptoms,
        tuple(
            (row["id"], row["score"], row["confident"])
            for row in overall(symptoms)
            if row["id"] not in guides()
        ),
    )


class _PlayedLogs(LastWordsReader):
    """Reads the logs that the embedded cluster would serve, without a server."""

    def __init__(self, world: World, store: Store) -> None:
        live = cast(LiveCluster, SimpleNamespace(store=store))
        super().__init__(live, lambda: NOW, lambda text: text, Cadence())
        self._world = world

    async def _text(self, source: EndedLog, previous: bool) -> list[str]:
        pod = self._world.get("Pod", source.pod.namespace, source.pod.name)
        if pod is None:
            return []
        found = logs.lines(
            self._world.surroundings,
            pod,
            source.container,
            previous=previous,
            since=NOW - timedelta(days=1),
            until=NOW,
            zone=self._world.zone_of,
        )
        return [text for _, text in found][-LINES:]


def judge_with_logs(scenario: Scenario) -> Seen:
    """A scenario as `stanch triage` sees it once it has read the last words of what fails."""
    world = expand(scenario, NOW)
    store = _store(world.sorted_objects())
    before = _judge(store, (), None)
    reader = _PlayedLogs(world, store)
    unread = reader.unread(before.report)
    beside = disks(scenario, before.report)
    news = asyncio.run(reader.read(unread)) if unread else False
    if news:
        beside = msgspec.structs.replace(beside, last_words=reader.sample)
    elif beside.disks is None:
        return before
    return _judge(store, (), beside)


@cache
def stated(name: str) -> Seen:
    """The drill by its objects alone."""
    return judge(rows(name))


@cache
def asked(name: str) -> Sources:
    """What the kubelets of a drill are asked for after the first report."""
    return disks(load(name), stated(name).report)


@cache
def seen(name: str) -> Seen:
    """The drill as it is served, with what its kubelets are asked for."""
    beside = asked(name)
    return judge(rows(name), sources=beside) if beside.disks is not None else stated(name)
