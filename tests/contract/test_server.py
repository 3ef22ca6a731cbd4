"""What a server says about itself: version, discovery, health, and what a user may do."""

from __future__ import annotations

import httpx

from cluster.api.intermediaries import not_api_server
from tests.contract.wire import Json, create
from tests.rungs.cluster import Cluster


def test_version(http: httpx.Client) -> None:
    version = http.get("/version").json()
    assert version["gitVersion"].startswith("v1.")
    assert version["major"] == "1"
    assert int(version["minor"].rstrip("+")) >= 30


def test_each_answer_names_its_request(http: httpx.Client) -> None:
    found = [http.get(path).headers["audit-id"] for path in ("/version", "/api/v1/nodes", "/api")]
    assert all(found)
    assert len(set(found)) == len(found)


def test_discovery_of_core(http: httpx.Client) -> None:
    assert "v1" in http.get("/api").json()["versions"]
    listed = http.get("/api/v1").json()
    assert listed["kind"] == "APIResourceList"
    known = {entry["name"]: entry for entry in listed["resources"]}
    for name, kind, namespaced in (
        ("pods", "Pod", True),
        ("nodes", "Node", False),
        ("events", "Event", True),
    ):
        assert (known[name]["kind"], known[name]["namespaced"]) == (kind, namespaced)
        assert {"get", "list", "watch"} <= set(known[name]["verbs"])
    assert known["pods/exec"]["verbs"]
    assert {"pods/log", "pods/eviction", "pods/ephemeralcontainers"} <= set(known)


def test_discovery_of_groups(http: httpx.Client) -> None:
    groups = {entry["name"]: entry for entry in http.get("/apis").json()["groups"]}
    wanted = {
        "apps",
        "batch",
        "networking.k8s.io",
        "discovery.k8s.io",
        "policy",
        "autoscaling",
        "coordination.k8s.io",
        "storage.k8s.io",
    }
    assert wanted <= set(groups)
    assert groups["apps"]["preferredVersion"]["groupVersion"] == "apps/v1"
    names = {entry["name"] for entry in http.get("/apis/apps/v1").json()["resources"]}
    assert {
        "deployments",
        "deployments/scale",
        "replicasets",
        "daemonsets",
        "statefulsets",
    } <= names


def test_readyz_names_its_checks(http: httpx.Client) -> None:
    plain = http.get("/readyz")
    assert (plain.status_code, plain.text) == (200, "ok")
    verbose = http.get("/readyz", params={"verbose": ""})
    assert verbose.status_code == 200
    lines = verbose.text.splitlines()
    assert "[+]ping ok" in lines
    assert "[+]etcd ok" in lines
    assert lines[-1] == "readyz check passed"
    assert http.get("/livez").text == "ok"
    assert http.get("/readyz/etcd").text == "ok"


def _may(http: httpx.Client, **attributes: str) -> Json:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    status: Json = create(http, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)[
        "status"
    ]
    return status


def test_access_review(rung: Cluster, http: httpx.Client) -> None:
    assert (
        _may(http, verb="create", resource="pods", subresource="exec", namespace="default")[
            "allowed"
        ]
        is True
    )
    assert _may(http, verb="patch", resource="nodes")["allowed"] is True
    with rung.forbidden("secrets") as limited:
        assert _may(limited, verb="list", resource="secrets")["allowed"] is False
        assert _may(limited, verb="list", resource="pods")["allowed"] is True


def test_every_answer_is_known_as_one_of_the_api_server(http: httpx.Client, rung: Cluster) -> None:
    for path in ("/version", "/readyz", "/api/v1/pods", "/apis/no.such/v1/things", "/no/such/path"):
        found = http.get(path)
        assert not not_api_server(found.status_code, found.headers, found.content), path
    with rung.forbidden("secrets") as limited:
        found = limited.get("/api/v1/secrets")
        assert found.status_code == 403
        assert not not_api_server(found.status_code, found.headers, found.content)


def test_who_am_i(http: httpx.Client) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    made = create(http, "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    assert made["status"]["userInfo"]["username"]
