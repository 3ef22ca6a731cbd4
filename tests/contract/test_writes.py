"""Writes that the product sends: create, dry run, preconditions, the three patches of a cordon."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.wire import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Json,
    assert_status,
    config_map,
    create,
    names,
    patch,
    pod,
)


@pytest.fixture
def node(http: httpx.Client, namespace: str) -> Iterator[str]:
    """The path of a Node that no kubelet answers for.

    The label matters: on an object that began without a field of anyone's, no manager is ever
    recorded.
    """
    name = f"{namespace}-node"
    create(
        http,
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"made-by": "test"}},
        },
    )
    yield f"/api/v1/nodes/{name}"
    http.delete(f"/api/v1/nodes/{name}").raise_for_status()


def untouched(http: httpx.Client, node: str) -> Json:
    """The Node without what a real node controller does, in its own time, to one without a
    heartbeat: taints, conditions, a new version."""
    seen: Json = http.get(node).raise_for_status().json()
    spec = {field: value for field, value in seen["spec"].items() if field != "taints"}
    meta = {field: value for field, value in seen["metadata"].items() if field != "resourceVersion"}
    meta["managedFields"] = [
        entry for entry in meta["managedFields"] if entry["manager"] != "kube-controller-manager"
    ]
    return {"spec": spec, "metadata": meta}


def test_what_exists_cannot_be_created_again(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = create(http, path, config_map("one"))
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    status = assert_status(http.post(path, json=config_map("one")), 409, "AlreadyExists")
    assert status["details"] == {"name": "one", "kind": "configmaps"}
    assert status["message"] == 'configmaps "one" already exists'


def test_generated_names(http: httpx.Client, namespace: str) -> None:
    body = config_map("")
    body["metadata"] = {"generateName": "stanch-probe-"}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    first, second = (create(http, path, body)["metadata"]["name"] for _ in range(2))
    assert first != second
    assert re.fullmatch(r"stanch-probe-[a-z0-9]{5}", first)


def test_a_namespace_must_be_there(http: httpx.Client) -> None:
    assert_status(
        http.post("/api/v1/namespaces/absent/configmaps", json=config_map("one")), 404, "NotFound"
    )


def test_a_dry_run_answers_and_changes_nothing(
    http: httpx.Client, namespace: str, node: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    made = create(http, path, pod("trial"), dryRun="All", fieldValidation="Strict")
    assert made["spec"]["containers"][0]["terminationMessagePath"] == "/dev/termination-log", (
        "defaults are shown"
    )
    assert names(http.get(path).json()) == []
    before = untouched(http, node)
    tried = patch(http, node, {"spec": {"unschedulable": True}}, dryRun="All")
    assert tried.status_code == 200
    assert tried.json()["spec"]["unschedulable"] is True
    assert untouched(http, node) == before
    assert http.delete(node, params={"dryRun": "All"}).status_code == 200
    assert untouched(http, node) == before


def test_unknown_fields_are_refused_when_strict(http: httpx.Client, namespace: str) -> None:
    body = pod("typo")
    body["spec"]["contaners"] = []
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    status = assert_status(
        http.post(f"/api/v1/namespaces/{namespace}/pods", json=body, params=params),
        400,
        "BadRequest",
    )
    assert 'unknown field "spec.contaners"' in status["message"]


def test_an_invalid_object_is_explained(http: httpx.Client, namespace: str) -> None:
    body = pod("empty")
    body["spec"]["containers"] = []
    status = assert_status(
        http.post(f"/api/v1/namespaces/{namespace}/pods", json=body), 422, "Invalid"
    )
    assert status["details"]["kind"] == "Pod"
    assert [cause["field"] for cause in status["details"]["causes"]] == ["spec.containers"]


@pytest.mark.parametrize(
    ("kind", "cordon", "uncordon"),
    [
        (MERGE_PATCH, {"spec": {"unschedulable": True}}, {"spec": {"unschedulable": None}}),
        (STRATEGIC_PATCH, {"spec": {"unschedulable": True}}, {"spec": {"unschedulable": None}}),
        (
            JSON_PATCH,
            [{"op": "add", "path": "/spec/unschedulable", "value": True}],
            [
                {"op": "test", "path": "/spec/unschedulable", "value": True},
                {"op": "remove", "path": "/spec/unschedulable"},
            ],
        ),
    ],
)
def test_cordon_and_uncordon(
    http: httpx.Client, node: str, kind: str, cordon: Json, uncordon: Json
) -> None:
    before = http.get(node).json()["metadata"]["resourceVersion"]
    done = patch(http, node, cordon, kind, fieldManager="stanch")
    assert done.status_code == 200, done.text
    assert done.json()["spec"]["unschedulable"] is True
    assert int(done.json()["metadata"]["resourceVersion"]) > int(before)
    owners = [
        e["manager"]
        for e in done.json()["metadata"]["managedFields"]
        if "f:unschedulable" in e["fieldsV1"].get("f:spec", {})
    ]
    assert owners == ["stanch"]
    back = patch(http, node, uncordon, kind, fieldManager="stanch")
    assert back.status_code == 200, back.text
    assert not back.json()["spec"].get("unschedulable")


def test_a_patch_with_a_version_is_refused_when_the_object_moved_on(
    http: httpx.Client, node: str
) -> None:
    old = http.get(node).json()["metadata"]["resourceVersion"]
    patch(http, node, {"metadata": {"labels": {"moved": "on"}}}).raise_for_status()
    change = {"metadata": {"resourceVersion": old}, "spec": {"unschedulable": True}}
    status = assert_status(patch(http, node, change), 409, "Conflict")
    assert "the object has been modified" in status["message"]
    assert not http.get(node).json()["spec"].get("unschedulable")


def test_a_json_patch_whose_test_fails_changes_nothing(http: httpx.Client, node: str) -> None:
    change = [
        {"op": "add", "path": "/metadata/labels", "value": {"changed": "yes"}},
        {"op": "test", "path": "/spec/unschedulable", "value": True},
    ]
    assert_status(patch(http, node, change, JSON_PATCH), 422, "Invalid")
    assert http.get(node).json()["metadata"]["labels"] == {"made-by": "test"}


def test_a_json_patch_can_test_that_a_member_is_absent(http: httpx.Client, node: str) -> None:
    absent = {"op": "test", "path": "/metadata/labels/zone", "value": None}
    add = {"op": "add", "path": "/metadata/labels/zone", "value": "a"}
    assert patch(http, node, [absent, add], JSON_PATCH).status_code == 200
    assert_status(patch(http, node, [absent, add], JSON_PATCH), 422, "Invalid")


def test_a_dry_run_of_a_deletion_stands_in_its_options(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    create(http, path, config_map("one"))
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    tried = http.request("DELETE", f"{path}/one", json={**options, "dryRun": ["All"]})
    assert tried.status_code == 200
    assert names(http.get(path).json()) == ["one"]
    done = http.request("DELETE", f"{path}/one", json=options, params={"dryRun": "All"})
    assert done.status_code == 200
    assert names(http.get(path).json()) == [], "with a body the query counts for nothing"


def test_a_patch_of_an_unknown_type_is_refused(http: httpx.Client, node: str) -> None:
    assert_status(patch(http, node, {"spec": {}}, "application/json"), 415, "UnsupportedMediaType")


def test_a_put_of_an_old_version_is_a_conflict(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    first = create(http, path, config_map("one"))
    first["data"] = {"key": "new"}
    assert http.put(f"{path}/one", json=first).status_code == 200
    status = assert_status(http.put(f"{path}/one", json=first), 409, "Conflict")
    assert status["details"] == {"name": "one", "kind": "configmaps"}


def test_deletion_with_preconditions(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    meta = create(http, path, config_map("one"))["metadata"]

    def delete(**preconditions: str) -> httpx.Response:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return http.request("DELETE", f"{path}/one", json=options)

    status = assert_status(delete(uid="00000000-0000-0000-0000-000000000000"), 409, "Conflict")
    assert (
        "the UID in the precondition (00000000-0000-0000-0000-000000000000) does not match"
        in status["message"]
    )
    assert_status(delete(resourceVersion="1"), 409, "Conflict")
    gone = delete(uid=meta["uid"], resourceVersion=meta["resourceVersion"])
    assert (gone.status_code, gone.json()["status"]) == (200, "Success")
    assert gone.json()["details"] == {"name": "one", "kind": "configmaps", "uid": meta["uid"]}
    assert_status(delete(), 404, "NotFound")


def test_a_finalizer_holds_an_object_back(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = config_map("held")
    body["metadata"]["finalizers"] = ["stanch.test/hold"]
    create(http, path, body)
    http.delete(f"{path}/held").raise_for_status()
    held = http.get(f"{path}/held").json()
    assert held["metadata"]["deletionTimestamp"]
    patch(http, f"{path}/held", {"metadata": {"finalizers": None}}).raise_for_status()
    assert http.get(f"{path}/held").status_code == 404


def test_many_deleted_by_label(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, owner in (("ours-1", "stanch"), ("ours-2", "stanch"), ("theirs", "helm")):
        create(http, path, config_map(name, labels={"app.kubernetes.io/managed-by": owner}))
    http.delete(
        path, params={"labelSelector": "app.kubernetes.io/managed-by=stanch"}
    ).raise_for_status()
    assert names(http.get(path).json()) == ["theirs"]


def test_status_is_written_on_its_own(http: httpx.Client, node: str) -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Tested",
        "message": "",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z",
    }
    patch(http, node, {"status": {"conditions": [condition]}}).raise_for_status()
    assert not http.get(node).json()["status"].get("conditions"), (
        "through the object itself, status is left alone"
    )
    patch(
        http,
        f"{node}/status",
        {"status": {"conditions": [condition]}, "spec": {"unschedulable": True}},
    ).raise_for_status()
    seen = http.get(node).json()
    assert [entry["reason"] for entry in seen["status"]["conditions"]] == ["Tested"]
    assert not seen["spec"].get("unschedulable"), "through status, the rest is left alone"


def test_scale(http: httpx.Client, namespace: str) -> None:
    labels = {"app": "scaled"}
    container = {"name": "main", "image": "stanch.test/busybox:1"}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "scaled"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    create(http, path, body)
    scale = http.get(f"{path}/scaled/scale").json()
    assert (scale["kind"], scale["apiVersion"], scale["spec"].get("replicas", 0)) == (
        "Scale",
        "autoscaling/v1",
        0,
    )
    done = patch(http, f"{path}/scaled/scale", {"spec": {"replicas": 2}}, dryRun="All")
    assert (done.status_code, done.json()["spec"]["replicas"]) == (200, 2)
    assert http.get(f"{path}/scaled").json()["spec"]["replicas"] == 0
