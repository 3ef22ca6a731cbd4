"""Subresources of pods that need no running container: ephemeral containers, eviction, the debug
pod's own shape."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.wire import STRATEGIC_PATCH, Json, assert_status, create, nowhere, patch, pod

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def placed(http: httpx.Client, namespace: str) -> str:
    """The path of a pod on a node that no kubelet answers for, said to be Running."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    create(http, path, pod("placed", node=nowhere(), labels={"app": "placed"}))
    ready = {
        "type": "Ready",
        "status": "True",
    }  # a pod that is not ready may be evicted whatever its budget says
    patch(
        http, f"{path}/placed/status", {"status": {"phase": "Running", "conditions": [ready]}}
    ).raise_for_status()
    return f"{path}/placed"


def test_an_ephemeral_container_is_added_by_its_subresource(
    http: httpx.Client, placed: str
) -> None:
    container = {
        "name": "stanch-debug",
        "image": "stanch.test/busybox:1",
        "command": ["sleep", "60"],
        "targetContainerName": "main",
        "securityContext": RESTRICTED,
    }
    change = {"spec": {"ephemeralContainers": [container]}}
    assert_status(patch(http, placed, change, STRATEGIC_PATCH), 422, "Invalid")
    done = patch(http, f"{placed}/ephemeralcontainers", change, STRATEGIC_PATCH)
    assert done.status_code == 200, done.text
    assert [entry["name"] for entry in done.json()["spec"]["ephemeralContainers"]] == [
        "stanch-debug"
    ]
    more = {"spec": {"ephemeralContainers": [{**container, "name": "stanch-debug-2"}]}}
    done = patch(http, f"{placed}/ephemeralcontainers", more, STRATEGIC_PATCH)
    assert {entry["name"] for entry in done.json()["spec"]["ephemeralContainers"]} == {
        "stanch-debug",
        "stanch-debug-2",
    }


def test_ephemeral_containers_of_an_absent_pod(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/absent/ephemeralcontainers"
    assert_status(
        patch(http, path, {"spec": {"ephemeralContainers": []}}, STRATEGIC_PATCH), 404, "NotFound"
    )


def _eviction(name: str) -> Json:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


def test_an_eviction_deletes(http: httpx.Client, placed: str) -> None:
    uid = http.get(placed).json()["metadata"]["uid"]
    only = {"preconditions": {"uid": uid}}
    every = {"dryRun": "All"}
    for options, query in (
        ({"dryRun": ["All"]}, {}),
        (only, every),
        ({**only, "dryRun": ["All"]}, every),
    ):
        body = {**_eviction("placed"), "deleteOptions": options}
        trial = http.post(f"{placed}/eviction", json=body, params=query)
        assert trial.status_code == 201, trial.text
        assert "deletionTimestamp" not in http.get(placed).json()["metadata"], "a dry run"
    done = http.post(f"{placed}/eviction", json=_eviction("placed"))
    assert (done.status_code, done.json()["kind"], done.json()["status"]) == (
        201,
        "Status",
        "Success",
    )
    left = http.get(placed)
    assert left.status_code == 404 or left.json()["metadata"]["deletionTimestamp"]


def test_a_disruption_budget_refuses_an_eviction(
    http: httpx.Client, namespace: str, placed: str
) -> None:
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "strict"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "placed"}}},
    }
    create(http, path, body)
    settled = {
        "observedGeneration": 1,
        "disruptionsAllowed": 0,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }
    patch(http, f"{path}/strict/status", {"status": settled}).raise_for_status()
    status = assert_status(
        http.post(f"{placed}/eviction", json=_eviction("placed")), 429, "TooManyRequests"
    )
    assert "disruption budget" in status["message"]
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["DisruptionBudget"]
    assert http.get(placed).status_code == 200


def test_a_restricted_debug_pod_is_accepted(http: httpx.Client, namespace: str) -> None:
    body = pod("stanch-probe-a", labels={"app.kubernetes.io/managed-by": "stanch"})
    body["metadata"]["annotations"] = {"stanch/expires-at": "2026-11-21T03:20:00Z"}
    body["spec"] |= {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 300,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    body["spec"]["containers"][0]["securityContext"] = RESTRICTED
    body["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "10m", "memory": "16Mi"},
        "limits": {"cpu": "100m", "memory": "32Mi"},
    }
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    patch(
        http,
        f"/api/v1/namespaces/{namespace}",
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    )
    made = create(http, f"/api/v1/namespaces/{namespace}/pods", body, **params)
    assert made["spec"]["activeDeadlineSeconds"] == 300
    assert made["status"]["phase"] == "Pending"


def test_a_pod_knows_its_quality_of_service(http: httpx.Client, namespace: str) -> None:
    made = create(http, f"/api/v1/namespaces/{namespace}/pods", pod("effort"), dryRun="All")
    assert made["status"]["qosClass"] == "BestEffort"


def test_exec_into_an_absent_container_is_refused_before_the_upgrade(
    http: httpx.Client, placed: str
) -> None:
    answer = http.get(
        f"{placed}/exec", params={"command": "true", "container": "absent", "stdout": "true"}
    )
    assert_status(answer, 400, "BadRequest")
