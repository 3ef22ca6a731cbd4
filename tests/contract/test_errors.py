"""How the API says no."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.wire import assert_status
from tests.rungs.cluster import Cluster


def test_absent_objects(http: httpx.Client, namespace: str) -> None:
    status = assert_status(http.get(f"/api/v1/namespaces/{namespace}/pods/absent"), 404, "NotFound")
    assert status["details"] == {"name": "absent", "kind": "pods"}
    assert status["message"] == 'pods "absent" not found'
    status = assert_status(
        http.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/absent"), 404, "NotFound"
    )
    assert status["details"] == {"name": "absent", "group": "apps", "kind": "deployments"}
    assert status["message"] == 'deployments.apps "absent" not found'


def test_a_kind_that_is_not_served(http: httpx.Client) -> None:
    assert http.get("/apis/metrics.k8s.io/v1beta1/nodes").status_code == 404
    assert http.get("/api/v1/flowers").status_code == 404


@pytest.mark.parametrize(
    ("path", "resource", "group"),
    [
        ("/api/v1/secrets", "secrets", ""),
        ("/apis/batch/v1/cronjobs", "cronjobs", "batch"),
    ],
)
def test_forbidden_kinds(rung: Cluster, path: str, resource: str, group: str) -> None:
    with rung.forbidden(resource) as http:
        status = assert_status(http.get(path), 403, "Forbidden")
    qualified = f"{resource}.{group}" if group else resource
    assert status["message"].startswith(f'{qualified} is forbidden: User "')
    assert (
        f'cannot list resource "{resource}" in API group "{group}" at the cluster scope'
        in status["message"]
    )
    assert status["details"]["kind"] == resource


def test_forbidden_watches(rung: Cluster) -> None:
    with rung.forbidden("secrets") as http:
        status = assert_status(
            http.get("/api/v1/secrets", params={"watch": "1", "timeoutSeconds": "2"}),
            403,
            "Forbidden",
        )
    assert 'cannot watch resource "secrets"' in status["message"]


def test_a_token_that_the_server_does_not_know(rung: Cluster) -> None:
    with rung.unauthorized() as http:
        status = assert_status(http.get("/api/v1/nodes"), 401, "Unauthorized")
    assert status["message"] == "Unauthorized"


def test_a_method_that_is_not_served(http: httpx.Client) -> None:
    assert http.request("PATCH", "/api/v1/nodes", json={}).status_code in (405, 415)
