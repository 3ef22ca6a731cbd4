"""Lists: pages, selectors, tables and metadata only."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.wire import (
    METADATA_LIST,
    TABLE,
    assert_status,
    config_map,
    create,
    names,
    nowhere,
    patch,
    pod,
)


@pytest.fixture
def seven(http: httpx.Client, namespace: str) -> str:
    """The path of the ConfigMaps of a namespace that holds c0 to c6, odd ones labelled
    parity=odd."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(7):
        create(
            http,
            path,
            config_map(f"c{number}", labels={"parity": "odd"} if number % 2 else {"even": ""}),
        )
    return path


def test_pages_walk_one_version_in_order(http: httpx.Client, seven: str) -> None:
    first = http.get(seven, params={"limit": "3"}).json()
    assert names(first) == ["c0", "c1", "c2"]
    assert first["metadata"]["remainingItemCount"] == 4
    create(http, seven, config_map("c2-late"))
    second = http.get(
        seven, params={"limit": "3", "continue": first["metadata"]["continue"]}
    ).json()
    assert names(second) == ["c3", "c4", "c5"], (
        "a page shows the version of the first one, not what came later"
    )
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = http.get(seven, params={"limit": "3", "continue": second["metadata"]["continue"]}).json()
    assert names(last) == ["c6"]
    assert not last["metadata"].get("continue")
    assert "remainingItemCount" not in last["metadata"]


def test_items_of_a_list_do_not_name_their_kind(http: httpx.Client, seven: str) -> None:
    listed = http.get(seven).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert not any("kind" in item for item in listed["items"])


def test_remaining_count_is_unknown_with_a_selector(http: httpx.Client, seven: str) -> None:
    listed = http.get(seven, params={"limit": "1", "labelSelector": "parity=odd"}).json()
    assert names(listed) == ["c1"]
    assert listed["metadata"]["continue"]
    assert "remainingItemCount" not in listed["metadata"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("parity=odd", ["c1", "c3", "c5"]),
        ("parity==odd", ["c1", "c3", "c5"]),
        ("parity!=odd", ["c0", "c2", "c4", "c6"]),
        ("parity in (odd, strange)", ["c1", "c3", "c5"]),
        ("parity notin (odd)", ["c0", "c2", "c4", "c6"]),
        ("parity", ["c1", "c3", "c5"]),
        ("!parity", ["c0", "c2", "c4", "c6"]),
        ("even=,!parity", ["c0", "c2", "c4", "c6"]),
    ],
)
def test_label_selectors(
    http: httpx.Client, seven: str, selector: str, expected: list[str]
) -> None:
    assert names(http.get(seven, params={"labelSelector": selector}).json()) == expected


def test_a_selector_that_cannot_be_read_is_a_bad_request(http: httpx.Client, seven: str) -> None:
    assert_status(http.get(seven, params={"labelSelector": "a in (b"}), 400, "BadRequest")


def test_field_selectors(http: httpx.Client, namespace: str, seven: str) -> None:
    assert names(http.get(seven, params={"fieldSelector": "metadata.name=c3"}).json()) == ["c3"]
    pods = f"/api/v1/namespaces/{namespace}/pods"
    here = nowhere()
    create(http, pods, pod("placed", node=here))
    create(http, pods, pod("elsewhere", node=nowhere()))
    assert names(http.get(pods, params={"fieldSelector": f"spec.nodeName={here}"}).json()) == [
        "placed"
    ]
    assert names(http.get(pods, params={"fieldSelector": f"spec.nodeName!={here}"}).json()) == [
        "elsewhere"
    ]
    assert names(
        http.get(
            pods, params={"fieldSelector": f"status.phase=Pending,spec.nodeName={here}"}
        ).json()
    ) == ["placed"]
    assert names(http.get(pods, params={"fieldSelector": "status.phase=Running"}).json()) == []


def test_field_selectors_of_events(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    for name, kind in (("warned", "Warning"), ("told", "Normal")):
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name},
            "involvedObject": {
                "kind": "Pod",
                "namespace": namespace,
                "name": f"pod-{name}",
                "uid": f"uid-{name}",
            },
            "type": kind,
            "reason": "Tested",
            "message": "a test wrote this",
        }
        create(http, path, body)
    assert names(http.get(path, params={"fieldSelector": "type=Warning"}).json()) == ["warned"]
    assert names(
        http.get(path, params={"fieldSelector": "involvedObject.name=pod-told"}).json()
    ) == ["told"]
    assert names(
        http.get(path, params={"fieldSelector": "involvedObject.uid=uid-told,type!=Warning"}).json()
    ) == ["told"]
    assert names(http.get(path, params={"fieldSelector": "reason=Other"}).json()) == []


def test_a_field_that_cannot_be_selected_on_is_a_bad_request(
    http: httpx.Client, seven: str
) -> None:
    status = assert_status(
        http.get(seven, params={"fieldSelector": "data.key=value"}), 400, "BadRequest"
    )
    assert "data.key" in status["message"]


def test_an_empty_list_has_items(http: httpx.Client, namespace: str) -> None:
    listed = http.get(f"/api/v1/namespaces/{namespace}/pods").json()
    assert listed["items"] == []
    assert int(listed["metadata"]["resourceVersion"]) > 0


def test_a_table_has_columns_and_cells(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    create(http, path, pod("one", node=nowhere()))
    table = http.get(path, headers={"Accept": f"{TABLE},application/json"}).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
        "IP",
        "Node",
        "Nominated Node",
        "Readiness Gates",
    ]
    row = table["rows"][0]
    name, ready, status, restarts = row["cells"][:4]
    assert (name, ready, restarts) == ("one", "0/1", "0")
    assert status in ("Pending", "ContainerCreating")
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "one"


def test_metadata_of_secrets_names_keys_but_carries_no_value(
    http: httpx.Client, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"user": "u", "password": "hunter2"},
    }
    create(http, path, secret)

    def keys() -> tuple[set[str], httpx.Response]:
        answer = http.get(path, headers={"Accept": METADATA_LIST})
        item = answer.json()["items"][0]
        found: set[str] = set()
        for entry in item["metadata"]["managedFields"]:
            assert entry["fieldsType"] == "FieldsV1"
            assert entry["manager"]
            assert entry["time"]
            found |= {key[2:] for key in entry["fieldsV1"].get("f:data", {}) if key != "."}
        return found, answer

    before, answer = keys()
    assert before == {"user", "password"}
    assert answer.json()["kind"] == "PartialObjectMetadataList"
    assert answer.json()["apiVersion"] == "meta.k8s.io/v1"
    assert b"aHVudGVyMg" not in answer.content
    assert b"hunter2" not in answer.content
    assert set(answer.json()["items"][0]) <= {"kind", "apiVersion", "metadata"}
    patch(http, f"{path}/keys", {"data": {"password": None}}).raise_for_status()
    assert keys()[0] == {"user"}, "a key that was removed is no longer named"


def test_metadata_lists_have_pages_too(http: httpx.Client, seven: str) -> None:
    first = http.get(seven, params={"limit": "5"}, headers={"Accept": METADATA_LIST}).json()
    rest = http.get(
        seven, params={"continue": first["metadata"]["continue"]}, headers={"Accept": METADATA_LIST}
    ).json()
    assert names(first) + names(rest) == [f"c{number}" for number in range(7)]
