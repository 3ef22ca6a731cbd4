"""Watches: order, the list as a stream, bookmarks, selectors, the end."""

from __future__ import annotations

import time

import httpx

from tests.contract.wire import (
    METADATA,
    assert_status,
    config_map,
    create,
    events,
    names,
    patch,
    watching,
)

END = "k8s.io/initial-events-end"
STREAM = {
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}


def test_a_watch_goes_on_from_the_version_of_a_list(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    create(http, path, config_map("before"))
    version = http.get(path).json()["metadata"]["resourceVersion"]
    create(http, path, config_map("one"))
    patch(http, f"{path}/one", {"data": {"key": "other"}}).raise_for_status()
    http.delete(f"{path}/one").raise_for_status()
    seen = []
    for event in events(http, path, {"resourceVersion": version}):
        seen.append(event)
        if event["type"] == "DELETED":
            break
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
    ]
    assert all(event["object"]["kind"] == "ConfigMap" for event in seen)
    assert seen[2]["object"]["data"] == {"key": "other"}, "a deletion carries the last state"
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(versions)
    assert int(version) < versions[0] < versions[1] < versions[2], (
        "a deletion has a version of its own"
    )


def test_a_list_as_a_stream_ends_with_a_bookmark_and_goes_on(
    http: httpx.Client, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        create(http, path, config_map(name))
    initial: list[str] = []
    live = None
    for event in events(http, path, STREAM):
        metadata = event["object"]["metadata"]
        if event["type"] == "BOOKMARK" and metadata.get("annotations", {}).get(END) == "true":
            assert event["object"]["kind"] == "ConfigMap"
            assert int(metadata["resourceVersion"]) > 0
            create(http, path, config_map("live"))
        elif live is None and len(initial) == 2:
            live = (event["type"], metadata["name"])
            break
        else:
            assert event["type"] == "ADDED"
            initial.append(metadata["name"])
    assert sorted(initial) == ["a", "b"]
    assert live == ("ADDED", "live")


def test_an_empty_stream_still_says_that_it_is_complete(http: httpx.Client, namespace: str) -> None:
    first = next(events(http, f"/api/v1/namespaces/{namespace}/configmaps", STREAM))
    assert first["type"] == "BOOKMARK"
    assert first["object"]["metadata"]["annotations"] == {END: "true"}


def test_a_stream_needs_its_companions(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = http.get(
        path, params={"watch": "1", "sendInitialEvents": "true", "timeoutSeconds": "2"}
    )
    assert_status(answer, 422, "Invalid")


def test_a_stream_of_metadata(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"password": "hunter2"},
    }
    create(http, path, secret)
    stream = events(http, path, STREAM, accept=METADATA)
    added, end = next(stream), next(stream)
    assert added["object"]["kind"] == "PartialObjectMetadata"
    assert added["object"]["apiVersion"] == "meta.k8s.io/v1"
    assert set(added["object"]) == {"kind", "apiVersion", "metadata"}
    assert any(
        "f:password" in entry["fieldsV1"].get("f:data", {})
        for entry in added["object"]["metadata"]["managedFields"]
    )
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {END: "true"}


def test_bookmarks_come_before_the_end(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = http.get(path).json()["metadata"]["resourceVersion"]
    with watching(
        http, path, {"resourceVersion": version, "allowWatchBookmarks": "true"}, seconds=4
    ) as stream:
        create(http, "/api/v1/namespaces/default/configmaps", config_map(f"beside-{namespace}"))
        seen = list(stream)
    assert {event["type"] for event in seen} == {"BOOKMARK"}, (
        "nothing happened here, but time went on elsewhere"
    )
    assert int(seen[-1]["object"]["metadata"]["resourceVersion"]) > int(version)
    assert END not in seen[-1]["object"]["metadata"].get("annotations", {})


def test_a_watch_ends_after_its_time_without_an_error(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = http.get(path).json()["metadata"]["resourceVersion"]
    began = time.monotonic()
    assert list(events(http, path, {"resourceVersion": version}, seconds=2)) == []
    assert 1.5 < time.monotonic() - began < 15


def test_leaving_a_selection_looks_like_a_deletion(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    create(http, path, config_map("one", labels={"in": "yes"}))
    version = http.get(path).json()["metadata"]["resourceVersion"]
    create(http, path, config_map("never", labels={"in": "no"}))
    patch(http, f"{path}/one", {"metadata": {"labels": {"in": "no"}}}).raise_for_status()
    patch(http, f"{path}/one", {"metadata": {"labels": {"in": "yes"}}}).raise_for_status()
    seen = []
    for event in events(http, path, {"resourceVersion": version, "labelSelector": "in=yes"}):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        if len(seen) == 2:
            break
    assert seen == [("DELETED", "one"), ("ADDED", "one")]


def test_a_watch_by_name(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    create(http, path, config_map("mine"))
    listed = http.get(path, params={"fieldSelector": "metadata.name=mine"}).json()
    assert names(listed) == ["mine"]
    create(http, path, config_map("other"))
    patch(http, f"{path}/mine", {"data": {"key": "new"}}).raise_for_status()
    version = listed["metadata"]["resourceVersion"]
    event = next(
        events(http, path, {"resourceVersion": version, "fieldSelector": "metadata.name=mine"})
    )
    assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", "mine")


def test_version_zero_starts_with_what_is_there(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    create(http, path, config_map("there"))
    event = next(events(http, path, {"resourceVersion": "0"}))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "there")
