"""Facts that were once written several times with different results: event times, selectors, data
keys, owners, durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cluster.kube import durations, selectors
from cluster.kube import objects as k
from cluster.kube.event_times import first_time, last_time, times_observed
from cluster.kube.managed_fields import data_keys, key_names, last_write, writes
from cluster.kube.owners import controller_of, top_owner

EARLY = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LATE = EARLY + timedelta(minutes=9)
LATER = EARLY + timedelta(minutes=30)


# -- events


@pytest.mark.parametrize(
    ("event", "first", "last"),
    [
        (k.Event(first_timestamp=EARLY, last_timestamp=LATE), EARLY, LATE),
        (k.Event(event_time=EARLY), EARLY, EARLY),
        (k.Event(event_time=EARLY, series=k.EventSeries(3, LATE)), EARLY, LATE),
        # a recorder that writes both shapes and updates only one of them
        (k.Event(series=k.EventSeries(3, EARLY), last_timestamp=LATE), EARLY, LATE),
        (k.Event(event_time=EARLY, last_timestamp=LATE, first_timestamp=EARLY), EARLY, LATE),
        (k.Event(first_timestamp=EARLY), EARLY, EARLY),
        # restored half an hour after it happened: its creation says nothing
        (
            k.Event(metadata=k.LeanMeta(creation_timestamp=LATER), last_timestamp=LATE),
            LATE,
            LATE,
        ),
        (k.Event(metadata=k.LeanMeta(creation_timestamp=EARLY), last_timestamp=LATE), EARLY, LATE),
        (k.Event(metadata=k.LeanMeta(creation_timestamp=EARLY)), EARLY, EARLY),
        (k.Event(), None, None),
    ],
)
def test_an_event_has_the_earliest_and_latest_time_that_it_carries(
    event: k.Event, first: datetime | None, last: datetime | None
) -> None:
    assert (first_time(event), last_time(event)) == (first, last)


def test_an_event_counts_in_whichever_field_counts() -> None:
    assert times_observed(k.Event()) == 1
    assert times_observed(k.Event(count=4, series=k.EventSeries(7))) == 7


# -- selectors

LABELS = {"app": "web", "tier": "front", "size": "12"}


def expression(key: str, operator: str, *values: str) -> k.LabelSelector:
    return k.LabelSelector(match_expressions=(k.LabelSelectorRequirement(key, operator, values),))


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        (k.LabelSelector(), True),
        (k.LabelSelector(match_labels={"app": "web"}), True),
        (k.LabelSelector(match_labels={"app": "db"}), False),
        (expression("app", "In", "web", "db"), True),
        (expression("gone", "In", "web"), False),
        (expression("app", "NotIn", "web"), False),
        (expression("gone", "NotIn", "web"), True),
        (expression("app", "Exists"), True),
        (expression("gone", "Exists"), False),
        (expression("app", "DoesNotExist"), False),
        (expression("gone", "DoesNotExist"), True),
        (expression("app", "Near", "web"), False),
        (expression("app", "", "web"), False),
        (expression("size", "Gt", "11"), True),
        (expression("size", "Gt", "12"), False),
        (expression("size", "Lt", "13"), True),
        (expression("app", "Gt", "1"), False),
        (expression("gone", "Lt", "1"), False),
    ],
)
def test_label_selectors(selector: k.LabelSelector | None, selected: bool) -> None:
    assert selectors.matches(selector, LABELS) is selected


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app = web", True),
        ("app!=web", False),
        ("gone!=web", True),
        ("app in (web, db),tier", True),
        ("app in (db)", False),
        ("app notin (db,web)", False),
        ("gone notin (db)", True),
        ("!gone,!away", True),
        ("!app", False),
        ("size>11", True),
        ("size<11", False),
        ("gone=", False),
    ],
)
def test_selectors_as_kubectl_takes_them(text: str, selected: bool) -> None:
    assert selectors.text_matches(text, LABELS) is selected


@pytest.mark.parametrize("text", ["app in (web", "app in", "app web", "=web", "app)", "!"])
def test_what_is_no_selector_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        selectors.text_matches(text, LABELS)


def test_a_service_without_a_selector_selects_nothing() -> None:
    assert selectors.service_selects({"app": "web"}, LABELS)
    assert not selectors.service_selects({}, LABELS)


@pytest.mark.parametrize(
    ("term", "selected"),
    [
        ({"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["4"]}]}, True),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}, True),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Near", "values": ["web"]}]}, False),
        ({}, False),
        ({"matchExpressions": "web"}, False),
    ],
)
def test_node_selector_terms(term: dict[str, Any], selected: bool) -> None:
    assert selectors.node_term_matches(term, "n1", LABELS) is selected


def test_field_selectors() -> None:
    pod = {"metadata": {"name": "a"}, "status": {"phase": "Running"}, "spec": {}}
    assert selectors.fields_match("status.phase=Running,metadata.name!=b", pod)
    assert not selectors.fields_match("spec.nodeName=n1", pod)
    assert selectors.fields_match("spec.nodeName=", pod)
    with pytest.raises(ValueError, match="no requirement"):
        selectors.fields_match("status.phase", pod)


def test_selectors_read_as_kubectl_prints_them() -> None:
    assert selectors.selector_text(None) == ""
    assert selectors.selector_text(k.LabelSelector()) == "everything"
    assert selectors.selector_text(expression("app", "NotIn", "a", "b")) == "app notin (a,b)"
    assert selectors.selector_text(expression("app", "DoesNotExist")) == "!app"


# -- managed fields


def write(manager: str, at: datetime | None, fields: dict[str, Any], of: str = "") -> Any:
    return k.ManagedFields(manager, "Update", of, at, fields)


def test_data_keys_are_those_of_all_three_fields_and_of_every_manager() -> None:
    meta = k.ObjectMeta(
        managed_fields=(
            write("a", EARLY, {"f:data": {".": {}, "f:user": {}}, "f:type": {}}),
            write("b", LATE, {"f:stringData": {"f:token": {}}, "f:binaryData": {"f:ca": {}}}),
        )
    )
    assert data_keys(meta) == frozenset({"user", "token", "ca"})
    assert data_keys(k.ObjectMeta()) is None
    assert key_names([{"f:data": None}, {"f:data": {"f:x": {}}}]) == {"x"}


def test_writes_are_newest_first_without_those_to_the_status() -> None:
    scaled = write("hpa", LATE, {"f:spec": {"f:replicas": {}}}, of="scale")
    created = write("kubectl", EARLY, {"f:spec": {"f:replicas": {}, "f:template": {}}})
    status = write("controller", LATER, {"f:status": {}}, of="status")
    meta = k.ObjectMeta(
        managed_fields=(created, status, scaled, write("old", None, {"f:spec": {}}))
    )
    assert writes(meta) == [scaled, created]
    assert last_write(meta, "f:spec", "f:replicas") == scaled
    assert last_write(meta, "f:spec", "f:template") == created
    assert last_write(meta, "f:data") is None


# -- owners


def owned(*owners: k.OwnerReference, labels: dict[str, str] | None = None) -> k.Pod:
    meta = k.LeanMeta(name="p", namespace="shop", owner_references=owners, labels=labels or {})
    return k.Pod(metadata=meta)


def test_the_controller_of_an_object_and_its_namespace() -> None:
    first = k.OwnerReference(kind="Custom", name="c")
    pod = owned(first, k.OwnerReference(kind="ReplicaSet", name="web-1", controller=True))
    assert controller_of(pod.metadata) == k.Ref("ReplicaSet", "shop", "web-1")
    assert controller_of(owned(first).metadata) == k.Ref("Custom", "shop", "c")
    assert controller_of(owned().metadata) is None
    for kind in ("Node", "PersistentVolume"):
        owner = k.OwnerReference(kind=kind, name="n", controller=True)
        assert controller_of(owned(owner).metadata) == k.Ref(kind, "", "n")


def test_the_top_owner_is_the_controller_that_people_know() -> None:
    above = k.OwnerReference(kind="CronJob", name="nightly", controller=True)
    job = k.Job(metadata=k.LeanMeta(name="n-1", namespace="shop", owner_references=(above,)))

    class Rows:
        def get(self, *key: str) -> Any:
            return job if key == ("Job", "shop", "n-1") else None

    of_job = owned(k.OwnerReference(kind="Job", name="n-1", controller=True))
    assert top_owner(of_job, Rows()) == k.Ref("CronJob", "shop", "nightly")
    unknown = k.OwnerReference(kind="ReplicaSet", name="web-7c9d", controller=True)
    by_hash = owned(unknown, labels={"pod-template-hash": "7c9d"})
    assert top_owner(by_hash, Rows()) == k.Ref("Deployment", "shop", "web")
    assert top_owner(owned(), Rows()) == k.Ref("Pod", "shop", "p")
    static = owned(k.OwnerReference(kind="Node", name="n", controller=True))
    assert top_owner(static, Rows()) == k.Ref("Pod", "shop", "p")


# -- durations and times


@pytest.mark.parametrize(
    ("seconds", "short", "words"),
    [
        (-5, "0s", "0 s"),
        (0.4, "0s", "0 s"),
        (119.9, "119s", "119 s"),
        (120, "2m", "2 min"),
        (179, "2m", "2 min"),
        (7_199, "119m", "119 min"),
        (7_200, "2h", "2 h"),
        (172_799, "47h", "47 h"),
        (172_800, "2d", "2 d"),
    ],
)
def test_a_duration_is_cut_to_its_largest_unit(seconds: float, short: str, words: str) -> None:
    assert durations.short(seconds) == durations.short(timedelta(seconds=seconds)) == short
    assert durations.words(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("250ms", 0.25),
        ("1.5h", 5_400),
        ("2D", 172_800),
        ("1w", 604_800),
        ("5", None),
        ("", None),
        ("5m x", None),
        ("soon", None),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float | None) -> None:
    assert durations.parse(text) == seconds


def test_times_of_day_are_utc_and_name_another_day() -> None:
    berlin = timezone(timedelta(hours=1))
    assert durations.clock(EARLY.astimezone(berlin)) == "03:00:00"
    assert durations.clock(EARLY, LATE, seconds=False) == "03:00"
    assert durations.clock(EARLY, EARLY + timedelta(days=1)) == "2026-11-21 03:00:00"


def test_times_of_the_kubelet_have_nanoseconds() -> None:
    assert durations.parse_time("2026-11-21T03:00:00.000000001Z") == EARLY
    assert durations.parse_time("2026-11-21T03:00:00") is None
    assert durations.parse_time("soon") is None
