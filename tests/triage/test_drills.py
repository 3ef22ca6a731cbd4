"""The drills, seen by triage alone: what leads, since when, what is shared; and that healthy
backgrounds are quiet under many eyes."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest

from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Object
from cluster.live.store import Store
from drills.api.objects import parse_duration
from drills.scenario.expand import objects
from drills.scenario.model import SCENARIOS, parse, read
from triage.engine import triage_once
from triage.facts.finding import Report, Severity

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
Raw = dict[str, Any]

ANSWERS = {path.stem: read(path).answer for path in sorted(SCENARIOS.glob("*.yaml"))}
SILENT = [name for name, answer in ANSWERS.items() if answer.silent]


def store_of(rows: list[Raw], change: Callable[[Raw], Raw | None] = lambda raw: raw) -> Store:
    store, kinds = Store(), dict[str, list[Object]]()
    for raw in rows:
        changed = change(raw)
        if changed is not None and changed["kind"] in BY_NAME:
            kinds.setdefault(changed["kind"], []).append(
                msgspec.convert(changed, BY_NAME[changed["kind"]].type, strict=False)
            )
    for kind, decoded in kinds.items():
        store.apply(kind, decoded)
    return store


@cache
def drill(name: str) -> list[Raw]:
    return objects(read(SCENARIOS / f"{name}.yaml"), NOW)


@cache
def calm(seed: int) -> list[Raw]:
    raw = {
        "id": "calm",
        "title": "-",
        "story": {"file": "-"},
        "description": "-",
        "seed": seed,
        "background": "standard",
        "decoys": ["rollout", "cordon", "scaled"],
        "answer": {"runbook": ""},
    }
    return objects(parse(raw, "calm"), NOW)


def look(name: str) -> Report:
    return triage_once(store_of(drill(name)), NOW, {})


@pytest.mark.parametrize("name", [n for n, answer in ANSWERS.items() if answer.told])
def test_drill_is_told_by_its_mechanism(name: str) -> None:
    answer = ANSWERS[name]
    told, report = answer.told, look(name)
    assert told is not None
    symptom = next(s for s in report.symptoms if s.mechanism == told.mechanism)
    since = told.since or answer.since
    assert since is not None
    assert symptom.since is not None
    assert abs(symptom.since - (NOW + parse_duration(since))) <= timedelta(minutes=4)
    if told.shared is not None:
        assert told.shared["what"] in {s.what for one in report.symptoms for s in one.shared}
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) <= 3, [
        s.title for s in report.symptoms
    ]


@pytest.mark.parametrize("name", [n for n in SILENT if n != "load-balancer-backends-flapping"])
def test_what_the_api_does_not_show_is_not_claimed(name: str) -> None:
    assert [f.id for f in look(name).findings if f.severity is not Severity.INFO] == []


def _without(*kinds: str) -> Callable[[Raw], Raw | None]:
    return lambda raw: None if raw["kind"] in kinds else raw


def _no_managers(raw: Raw) -> Raw:
    raw = copy.deepcopy(raw)
    raw["metadata"].pop("managedFields", None)
    return raw


def _no_node_labels(raw: Raw) -> Raw:
    raw = copy.deepcopy(raw)
    if raw["kind"] == "Node":
        raw["metadata"]["labels"] = {}
    return raw


def _other_images(raw: Raw) -> Raw:
    def other(found: re.Match[str]) -> str:
        return (
            f'"image": "mirror.example:5000/{hashlib.sha256(found[1].encode()).hexdigest()[:10]}:1"'
        )

    renamed: Raw = json.loads(re.sub(r'"image": "([^"]+)"', other, json.dumps(raw)))
    return renamed


def _new_event_shape(raw: Raw) -> Raw:
    if raw["kind"] != "Event":
        return raw
    last = raw.get("lastTimestamp") or raw.get("eventTime")
    return {
        **raw,
        "eventTime": last,
        "lastTimestamp": None,
        "firstTimestamp": None,
        "count": 0,
        "series": {"count": raw.get("count") or 1, "lastObservedTime": last},
    }


MUTATIONS: dict[str, Callable[[Raw], Raw | None]] = {
    "as it is": lambda raw: raw,
    "no events": _without("Event"),
    "no field managers": _no_managers,
    "no endpoint slices": _without("EndpointSlice"),
    "no leases": _without("Lease"),
    "no node labels": _no_node_labels,
    "other images": _other_images,
    "new event shape": _new_event_shape,
    "no secrets readable": _without("Secret", "ConfigMap"),
}


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
@pytest.mark.parametrize("seed", [1, 2])
def test_healthy_background_gives_no_warning(mutation: str, seed: int) -> None:
    store = store_of(calm(seed), MUTATIONS[mutation])
    for minutes in (0, 7, 45):
        report = triage_once(store, NOW + timedelta(minutes=minutes), {})
        assert [f.id for f in report.findings if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    "mutation",
    ["no field managers", "no endpoint slices", "no leases", "other images", "new event shape"],
)
def test_one_signal_less_does_not_hide_the_mechanism(mutation: str) -> None:
    for name in (
        "nodes-notready-system-oom",
        "network-policy-cni-version-skew",
        "coredns-oom",
        "secret-not-found-blocks-deployments",
        "ingress-controller-oom",
    ):
        report = triage_once(store_of(drill(name), MUTATIONS[mutation]), NOW, {})
        told = ANSWERS[name].told
        assert told is not None
        assert told.mechanism in {s.mechanism for s in report.symptoms}, (name, mutation)
