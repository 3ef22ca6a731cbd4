"""One odd object never costs more than itself: any value in any field of any kind, and the rest of
the report stands."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kube.kinds import BY_NAME, KINDS
from cluster.kube.objects import Event, Object
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store
from tests.triage.build import NOW, Cluster, ago, row, ts
from tests.triage.elsewhere.finish import store
from tests.triage.elsewhere.second import on_control, on_data, on_networks, on_nodes
from tests.triage.elsewhere.second.registry import CASES
from triage.engine import triage_once
from triage.facts.finding import Report
from triage.facts.odd_objects import odd_time, without_odd_times

TIMES = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    NOW + timedelta(hours=1),
    NOW + timedelta(days=400),
)
TEXTS = ("", " ", "0", "-1", "a/b/c", "9" * 400, "0/0 nodes are available: ", '"', "False", "Pod")
NUMBERS = (0, -1, 2**31, 2**63 - 1, -(2**63))
LIVE = {kind.name: Freshness(kind.name, WatchState.LIVE, heard=NOW) for kind in KINDS}
STORY = "shop"
REGISTERED = (on_control, on_data, on_networks, on_nodes)
"""Importing them registers their cases."""


def base() -> Cluster:
    """A cluster with troubles of its own: each must stay in the report."""
    cluster = Cluster(nodes=4)
    work = cluster.deployment("cart", STORY, replicas=2)
    for pod in work["pods"]:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=7,
            phase="Running",
            last={
                "exitCode": 1,
                "reason": "Error",
                "startedAt": ts(ago(minutes=3)),
                "finishedAt": ts(ago(minutes=2)),
            },
        )
    cluster.nodes[0]["status"]["conditions"][-1].update(
        type="DiskPressure", status="True", lastTransitionTime=ts(ago(minutes=20))
    )
    return cluster


def plain(type_: Any) -> Any:
    """A type without `Annotated` and without the None of an optional."""
    if typing.get_origin(type_) is typing.Annotated:
        return plain(typing.get_args(type_)[0])
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        return plain(next(a for a in typing.get_args(type_) if a is not type(None)))
    return type_


def fields(type_: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(type_):
        yield field.name, plain(field.type)


def filled(type_: Any) -> Any:
    """A value of a type with something in every field."""
    type_ = plain(type_)
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return type_(**{name: filled(inner) for name, inner in fields(type_)})
    if origin is list:
        return [filled(args[0])]
    if origin is tuple:
        return tuple(filled(a) for a in args if a is not Ellipsis)
    if origin is dict:
        return {"app": filled(args[1])} if args[1] is not Any else {}
    if type_ is datetime:
        return ago(minutes=30)
    return {str: "cart", int: 1, bool: True, float: 1.0}.get(type_)


def paths(type_: Any, depth: int = 9) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fields below a type that hold times, texts and numbers, with the type of each."""
    type_ = plain(type_)
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if not depth:
        return
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        for name, inner in fields(type_):
            for path, leaf in paths(inner, depth - 1):
                yield (name, *path), leaf
    elif origin in (list, tuple):
        for path, leaf in paths(args[0], depth - 1):
            yield ("0", *path), leaf
    elif type_ in (datetime, str, int):
        yield (), type_


def put(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """A copy with `new` at the path."""
    if not path:
        return new
    if isinstance(value, (list, tuple)):
        return type(value)([put(value[0], path[1:], new), *value[1:]])
    return msgspec.structs.replace(value, **{path[0]: put(getattr(value, path[0]), path[1:], new)})


FIELDS = [(kind.name, path, leaf) for kind in KINDS for path, leaf in paths(kind.type)]
VALUES = {datetime: TIMES, str: TEXTS, int: NUMBERS}


def named(kind: str) -> Object:
    found = filled(BY_NAME[kind].type)
    odd: Object = put(put(found, ("metadata", "name"), "odd"), ("metadata", "namespace"), STORY)
    return odd


def report(*odd: tuple[str, Object]) -> Report:
    store: Store = base().store()
    for kind, one in odd:
        store.apply(kind, [one])
    return triage_once(store, NOW, LIVE)


EXPECTED = {f.id for f in report().findings}


@settings(max_examples=300)
@given(st.sampled_from(FIELDS), st.integers(0, 9))
def test_any_value_in_any_field_costs_only_its_object(
    field: tuple[str, tuple[str, ...], type], pick: int
) -> None:
    kind, path, leaf = field
    values = VALUES[leaf]
    found = report((kind, put(named(kind), path, values[pick % len(values)])))
    broken = [g for g in found.unavailable if g.what.startswith("triage of")]
    assert not broken, (kind, path, broken)
    assert {i for i in EXPECTED if "cart" in i or "n1" in i} <= {f.id for f in found.findings}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type]]:
    """The times, texts and numbers in a row, with their paths; of a list the first item."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name), (*path, name))
    elif isinstance(value, (list, tuple)):
        if value:
            yield from leaves(value[0], (*path, "0"))
    elif type(value) in VALUES:
        yield path, type(value)


@cache
def rows_of(name: str) -> dict[str, list[Object]]:
    """A cluster with one of the catalogue's stories in it."""
    objects = next(case for case in CASES if case.name == name).build(NOW, True)
    found = store(objects)
    return {kind.name: list(found.rows(kind.name).values()) for kind in KINDS}


@settings(max_examples=60)
@given(st.data())
def test_any_value_in_a_story_breaks_no_part_of_the_report(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(case.name for case in CASES)))
    rows = rows_of(name)
    kind = data.draw(st.sampled_from([kind for kind, group in rows.items() if group]))
    number = data.draw(st.integers(0, len(rows[kind]) - 1))
    path, leaf = data.draw(st.sampled_from(list(leaves(rows[kind][number]))))
    value = data.draw(st.sampled_from(VALUES[leaf]))
    changed = Store()
    for each, group in rows.items():
        if each == kind:
            group = [put(r, path, value) if i == number else r for i, r in enumerate(group)]
        changed.apply(each, group)
    found = triage_once(changed, NOW, LIVE)
    broken = [g for g in found.unavailable if g.what.startswith("triage of")]
    assert not broken, (name, kind, path, value, broken)


TIME_FIELDS = [(kind, path) for kind, path, leaf in FIELDS if leaf is datetime]


@pytest.mark.parametrize("at", [t for t in TIMES if t.year != 1970], ids=str)
def test_absurd_times_of_all_fields_at_once(at: datetime) -> None:
    """Every kind with that time in all its fields: nothing else is lost."""
    rows = []
    for kind in KINDS:
        one = named(kind.name)
        for name, path in TIME_FIELDS:
            if name == kind.name:
                one = put(one, path, at)
        rows.append((kind.name, one))
    found = report(*rows)
    assert not [g for g in found.unavailable if g.what.startswith("triage of")]
    assert {f.id for f in found.findings} >= EXPECTED
    assert all(f.since is None or not odd_time(f.since, NOW) for f in found.findings)


def test_the_odd_event_is_named_and_the_rest_is_as_before() -> None:
    event = row(
        "Event",
        {
            "metadata": {"name": "far", "namespace": STORY, "creationTimestamp": ts(NOW)},
            "involvedObject": {"kind": "Pod", "namespace": STORY, "name": "cart-x"},
            "reason": "Killing",
            "message": "Container main failed liveness probe, will be restarted",
            "count": 3,
            "firstTimestamp": "9999-12-31T23:59:59Z",
            "lastTimestamp": "9999-12-31T23:59:59Z",
        },
    )
    found = report(("Event", event))
    assert [(g.what, g.why) for g in found.unavailable] == [
        ("1 object not understood", f"Event {STORY}/far (time out of range)")
    ]
    assert [f.id for f in found.findings] == sorted(
        EXPECTED, key=[f.id for f in found.findings].index
    )


def test_times_that_runtimes_write_for_unknown_are_no_fault() -> None:
    event = Event(first_timestamp=datetime(1970, 1, 1, tzinfo=UTC), last_timestamp=ago(minutes=1))
    cleaned, odd = without_odd_times(event, NOW)
    assert cleaned.first_timestamp is None
    assert not odd
    assert cleaned.last_timestamp == ago(minutes=1)


def test_a_node_is_not_blamed_for_the_times_of_its_pods() -> None:
    cluster = base()
    pod = row(
        "Pod",
        {
            "metadata": {"name": "odd", "namespace": STORY, "creationTimestamp": ts(NOW)},
            "spec": {"nodeName": cluster.nodes[1]["metadata"]["name"], "containers": []},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "main",
                        "restartCount": 3,
                        "state": {"running": {"startedAt": ts(ago(minutes=1))}},
                        "lastState": {
                            "terminated": {
                                "exitCode": 1,
                                "startedAt": "9999-12-31T23:59:59Z",
                                "finishedAt": "9999-12-31T23:59:59Z",
                            }
                        },
                    }
                ],
            },
        },
    )
    found = report(("Pod", pod))
    assert [(g.what, g.why) for g in found.unavailable] == [
        ("1 object not understood", f"Pod {STORY}/odd (time out of range)")
    ]
    assert {f.id for f in found.findings} >= EXPECTED
