"""The order in which kinds arrive, and reports made meanwhile, change nothing in what is found at
the end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cluster.kube.kinds import BY_NAME, KINDS
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store
from drills.scenario import catalogue
from drills.scenario.expand import objects
from triage.engine import Triage

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
DRILLS = (
    "coredns-oom",
    "volume-attach-stuck",
    "cryptomining-exposed-dashboard",
    "replicas-packed-on-one-node",
    "ingress-controller-oom",
)


def decoded(drill: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in objects(catalogue.load(drill), NOW):
        if item["kind"] in BY_NAME:
            row = msgspec.convert(
                msgspec.json.decode(msgspec.json.encode(item)), BY_NAME[item["kind"]].type
            )
            found.setdefault(item["kind"], []).append(row)
    return found


def findings(
    rows: dict[str, list[Any]], kinds: Sequence[str], seed: int
) -> dict[str, tuple[str, str, str]]:
    store, engine, chance = Store(), Triage(lambda: NOW), random.Random(seed)
    for kind in kinds:
        given = list(rows[kind])
        if seed:
            chance.shuffle(given)
        for start in range(0, len(given), 50):
            engine.update(store.apply(kind, given[start : start + 50]), store)
            if seed:
                engine.report(
                    NOW,
                    store,
                    {each.name: Freshness(each.name, WatchState.LOADING) for each in KINDS},
                )
    whole = {
        each.name: Freshness(each.name, WatchState.LIVE, store.count(each.name), None, NOW)
        for each in KINDS
    }
    return {
        found.id: (found.claim, found.severity.value, str(found.since))
        for found in engine.report(NOW, store, whole).findings
    }


@pytest.mark.parametrize("drill", DRILLS)
def test_any_order_of_arrival_gives_the_same_findings(drill: str) -> None:
    rows = decoded(drill)
    expected = findings(rows, sorted(rows), 0)
    assert expected
    for seed in (1, 2):
        kinds = sorted(rows)
        random.Random(seed).shuffle(kinds)
        assert findings(rows, kinds, seed) == expected
