"""Whatever comes is decoded, repaired or counted; nothing hostile gets through; nothing raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kube.decode import LAST_APPLIED, KindDecoder
from cluster.kube.interning import Interning
from cluster.kube.kinds import BY_NAME, KINDS
from cluster.kube.objects import EndpointSlice, Pod, ReplicaSet
from cluster.kube.text import clean

POD = KindDecoder(BY_NAME["Pod"])


def line(obj: Any, type_: str = "ADDED") -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode()


def one_pod(**fields: Any) -> Pod:
    (event,), faulty = POD.lines([line({"metadata": {"name": "a", "namespace": "n"}, **fields})])
    assert faulty == 0
    assert isinstance(event.object, Pod)
    return event.object


def test_null_lists_are_empty() -> None:
    (event,), _ = KindDecoder(BY_NAME["EndpointSlice"]).lines(
        [line({"metadata": {"name": "a"}, "endpoints": None, "ports": None})]
    )
    assert isinstance(event.object, EndpointSlice)
    assert event.object.endpoints == ()


def test_faulty_fields_are_dropped_and_the_rest_is_kept() -> None:
    pod = one_pod(
        spec={
            "nodeName": "node-1",
            "containers": [
                {"name": "c", "image": 5, "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}
            ],
        },
        status={
            "phase": "Running",
            "startTime": "yesterday",
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-21T03:00:00Z"},
                "odd",
                None,
            ],
            "containerStatuses": [{"name": "c", "restartCount": "7", "state": []}],
        },
    )
    assert (pod.spec.node_name, pod.status.phase, pod.status.start_time) == (
        "node-1",
        "Running",
        None,
    )
    assert pod.spec.containers[0].image == ""
    assert pod.spec.containers[0].resources.limits == {"memory": "1Gi"}
    assert pod.status.conditions[0].last_transition_time == datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert len(pod.status.conditions) == 1
    assert pod.status.container_statuses[0].restart_count == 7


def test_a_time_without_a_zone_is_dropped() -> None:
    assert one_pod(status={"startTime": "2026-11-21T03:00:00"}).status.start_time is None


def test_one_bad_object_does_not_fail_its_page() -> None:
    items = [
        {"metadata": {"name": "a"}},
        {"metadata": "broken"},
        7,
        {"metadata": {"name": "b"}, "status": {"conditions": None}},
    ]
    page = POD.page(
        json.dumps(
            {
                "metadata": {"resourceVersion": "5", "continue": None, "remainingItemCount": 3},
                "items": items,
            }
        ).encode()
    )
    assert [each.metadata.name for each in POD.finish(page.objects)] == ["a", "b"]
    assert (page.faulty, page.meta.resource_version, page.meta.remaining_item_count) == (2, "5", 3)


def test_hostile_text_is_inert_in_values_and_keys() -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\x9b31m\u202ereversed\x00"
    pod = one_pod(
        status={"message": evil, "phase": "Run\x1b[2Jning"}, spec={"nodeName": "n\u200b1"}
    )
    assert pod.status.phase == "Running"
    (event,), _ = POD.lines(
        [line({"metadata": {"name": "a", "labels": {evil: evil}, "annotations": {"x": evil}}})]
    )
    shown = repr(event.object)
    for character in ("\x1b", "\x9b", "\u202e", "\x00"):
        assert character not in shown


def test_lone_surrogates_and_broken_utf8_do_not_lose_the_object() -> None:
    events, faulty = POD.lines(
        [
            b'{"type":"ADDED","object":{"metadata":{"name":"a\\ud800"}}}',
            b'{"type":"ADDED","object":{"metadata":{"name":"b\xff"}}}',
        ]
    )
    assert (len(events), faulty) == (2, 0)
    assert "\ud800" not in repr(events)


def test_last_applied_copies_never_enter() -> None:
    secret = KindDecoder(BY_NAME["Secret"])
    body = {
        "metadata": {
            "name": "a",
            "annotations": {LAST_APPLIED: '{"data":{"password":"cGxhaW4="}}', "keep": "1"},
        },
        "data": {"password": "cGxhaW4="},
    }
    (event,), _ = secret.lines([line(body)])
    assert event.object is not None
    assert event.object.metadata.annotations == {"keep": "1"}
    assert "cGxhaW4" not in repr(event.object)


def test_errors_and_bookmarks() -> None:
    events, faulty = POD.lines(
        [
            line(
                {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired"}, "ERROR"
            ),
            line(
                {
                    "metadata": {
                        "resourceVersion": "9",
                        "annotations": {"k8s.io/initial-events-end": "true"},
                    },
                    "spec": {"containers": None},
                },
                "BOOKMARK",
            ),
            b"",
            b"half a li",
        ]
    )
    assert faulty == 1
    assert (events[0].object, events[0].status and events[0].status["code"]) == (None, 410)
    assert events[1].ends_initial_events()
    assert events[1].version == "9"


def test_equal_parts_are_shared_and_unequal_ones_are_not() -> None:
    body = {
        "containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1"}}}],
        "nodeName": "n1",
    }
    labels = {"app": "a"}
    lines = [
        line({"metadata": {"name": name, "labels": labels}, "spec": spec})
        for name, spec in (("a", body), ("b", body), ("c", {**body, "containers": []}))
    ]
    events, _ = POD.lines(lines)
    one, two, three = (event.object for event in events)
    assert isinstance(one, Pod)
    assert isinstance(two, Pod)
    assert isinstance(three, Pod)
    assert one.spec.containers is two.spec.containers
    assert one.metadata.labels is two.metadata.labels
    assert three.spec.containers == ()
    assert one.metadata.name == "a"


def test_containers_of_different_images_share_what_else_is_equal() -> None:
    usual = {"name": "c", "env": [{"name": "A"}], "resources": {"limits": {"cpu": "1"}}}
    lines = [
        line({"metadata": {"name": image}, "spec": {"containers": [{**usual, "image": image}]}})
        for image in ("i:1", "i:2")
    ]
    (one, two), _ = KindDecoder(BY_NAME["Pod"]).lines(lines)
    assert isinstance(one.object, Pod)
    assert isinstance(two.object, Pod)
    (first,), (second,) = one.object.spec.containers, two.object.spec.containers
    assert (first.image, second.image) == ("i:1", "i:2")
    assert first.env is second.env
    assert first.resources is second.resources


def test_a_replica_set_shares_its_template_with_its_pods() -> None:
    labels, interning = {"app": "a"}, Interning()
    spec = {"containers": [{"name": "c", "image": "i:1"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    owner = KindDecoder(BY_NAME["ReplicaSet"], interning).one(
        json.dumps(
            {
                "metadata": {"name": "a"},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            }
        ).encode()
    )
    pod = KindDecoder(BY_NAME["Pod"], interning).one(
        json.dumps({"metadata": {"name": "a-1", "labels": labels}, "spec": spec}).encode()
    )
    assert isinstance(owner, ReplicaSet)
    assert isinstance(pod, Pod)
    made = owner.spec.template
    assert made.spec.containers is pod.spec.containers
    assert made.metadata.labels is owner.spec.selector.match_labels is pod.metadata.labels


def test_a_pod_of_one_address_has_it_once_and_equal_states_are_shared() -> None:
    running = {"name": "c", "state": {"running": {"startedAt": "2026-03-14T09:26:00Z"}}}
    decoder, known = KindDecoder(BY_NAME["Pod"]), list[Pod]()
    for addresses in (["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3", "fd00::3"]):
        status = {"podIP": addresses[0], "podIPs": [{"ip": each} for each in addresses]}
        pod = {"metadata": {"name": "a"}, "status": {**status, "containerStatuses": [running] * 2}}
        (event,), _ = decoder.lines([line(pod)])
        assert isinstance(event.object, Pod)
        known.append(event.object)
    assert [len(pod.status.pod_ips) for pod in known] == [0, 0, 2]
    states = {id(each.state) for pod in known for each in pod.status.container_statuses}
    assert len(states) == 1
    assert known[0].status.container_statuses[0].state.running is not None


def test_parts_of_equal_hash_are_not_shared_when_they_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.kube.interning.hash", lambda _: 1, raising=False)
    lines = [line({"metadata": {"name": each, "labels": {"app": each}}}) for each in ("a", "b")]
    (one, two), _ = KindDecoder(BY_NAME["Pod"]).lines(lines)
    found = [each.object.metadata.labels for each in (one, two) if each.object is not None]
    assert found == [{"app": "a"}, {"app": "b"}]


def test_a_pod_keeps_each_time_and_empty_dictionaries_once() -> None:
    start, later = "2026-03-14T09:26:00Z", "2026-03-14T09:26:07Z"
    times = {"Initialized": start, "Ready": later, "ContainersReady": later, "PodScheduled": start}
    conditions = [{"type": name, "lastTransitionTime": at} for name, at in times.items()]
    pods = [
        {
            "metadata": {"name": name, "creationTimestamp": start},
            "status": {"startTime": start, "conditions": conditions},
        }
        for name in ("a", "b")
    ]
    events, _ = POD.lines([line(pod) for pod in pods])
    one, two = (event.object for event in events)
    assert isinstance(one, Pod)
    assert isinstance(two, Pod)
    found = [condition.last_transition_time for condition in one.status.conditions]
    assert [each and each.second for each in found] == [0, 7, 7, 0]
    assert found[0] is found[3] is one.status.start_time is one.metadata.creation_timestamp
    assert found[1] is found[2]
    assert one.metadata.annotations is two.metadata.annotations is one.spec.node_selector
    assert one.metadata.annotations == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "metadata",
        "spec",
        "status",
        "items",
        "containers",
        "conditions",
        "labels",
        "annotations",
        "name",
        "data",
    ]
)
ODD = st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=3), max_size=5)


@given(ODD, st.sampled_from([kind.name for kind in KINDS]))
def test_no_json_makes_it_raise(obj: dict[str, Any], name: str) -> None:
    decoder = KindDecoder(BY_NAME[name])
    events, _ = decoder.lines(
        [line(obj), line(obj, "DELETED"), line(obj, "BOOKMARK"), line(obj, "ERROR")]
    )
    page = decoder.page(json.dumps({"items": [obj, {"metadata": {"name": "kept"}}]}).encode())
    assert decoder.finish(page.objects)[-1].metadata.name == "kept"
    assert all(event.object is not None for event in events if event.type != "ERROR")


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    POD.lines([data])


@given(st.text(max_size=40))
def test_every_kept_text_is_clean(text: str) -> None:
    events, _ = POD.lines(
        [line({"metadata": {"name": "a", "annotations": {"k": text}}, "status": {"message": text}})]
    )
    (event,) = events
    assert isinstance(event.object, Pod)
    assert event.object.status.message == clean(event.object.status.message)
    assert event.object.metadata.annotations["k"] == clean(event.object.metadata.annotations["k"])
