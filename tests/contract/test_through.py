"""Pods and Services through the API server, by its proxy and by port-forward. On the rungs whose
pods run: embedded and real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from cluster.api.port_forward import Forwarder, ForwardResult
from cluster.api.transport import Api
from cluster.connect.kubeconfig import load_access
from tests.contract.test_exec import wait_for
from tests.contract.wire import assert_status, create, pod
from tests.rungs.cluster import Cluster
from tests.rungs.programs.processes import wait_until

SERVE = "mkdir -p /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"


@pytest.fixture(scope="module", params=["drill", "nodes"])
def running(request: pytest.FixtureRequest) -> Cluster:
    """The rungs whose pods run."""
    if request.param == "drill":
        embedded: Cluster = request.getfixturevalue("drill_cluster")
        return embedded
    real: Cluster = request.getfixturevalue("nodes_lab").cluster
    return real


@pytest.fixture(scope="module")
def http(running: Cluster) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture(scope="module")
def namespace(running: Cluster, http: httpx.Client) -> Iterator[str]:
    """A namespace with the pod `web` that serves on 8080, the Service `web` that selects it, and
    the Service `empty` that selects no pod."""
    name = create(
        http,
        "/api/v1/namespaces",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": "contract-through-"},
        },
    )
    path = f"/api/v1/namespaces/{name['metadata']['name']}"
    web = pod("web")
    web["metadata"]["labels"] = {"app": "web"}
    web["spec"]["containers"][0] |= {
        "command": ["sh", "-c", SERVE],
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    create(http, f"{path}/pods", web)
    for service, app in (("web", "web"), ("empty", "absent")):
        spec = {
            "selector": {"app": app},
            "ports": [{"name": "main", "port": 80, "targetPort": "http"}],
        }
        create(
            http,
            f"{path}/services",
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": spec},
        )
    wait_for(
        http,
        f"{path}/pods/web",
        lambda seen: all(entry["ready"] for entry in seen["status"]["containerStatuses"]),
    )
    # The container runs a moment before its server listens, and an endpoint is known a moment after
    # that.
    wait_until(
        lambda: http.get(f"{path}/pods/web:8080/proxy/").status_code == 200,
        "the pod serves",
        limit=20,
    )
    wait_until(
        lambda: http.get(f"{path}/services/web:80/proxy/").status_code == 200,
        "the Service serves",
        limit=20,
    )
    yield str(name["metadata"]["name"])
    http.delete(path).raise_for_status()


@pytest.fixture
async def api(running: Cluster) -> AsyncIterator[Api]:
    found = Api(load_access(explicit=str(running.kubeconfig)))
    yield found
    await found.aclose()


async def forward(api: Api, namespace: str, name: str, port: int) -> ForwardResult:
    return await Forwarder(api)(namespace, name, port, 10)


async def test_a_listener_answers_through_a_port_forward(api: Api, namespace: str) -> None:
    found = await forward(api, namespace, "web", 8080)
    assert found.open is True, found
    assert found.heard.startswith("HTTP/1."), found
    assert " 200 " in found.heard.splitlines()[0]


async def test_a_closed_port_is_refused_in_the_runtimes_words(api: Api, namespace: str) -> None:
    found = await forward(api, namespace, "web", 9999)
    assert found.open is False, found
    assert "connection refused" in found.refused
    assert "9999" in found.refused


async def test_a_pod_that_is_not_there_says_nothing_of_its_ports(api: Api, namespace: str) -> None:
    found = await forward(api, namespace, "absent", 8080)
    assert found.open is None
    assert "404" in found.error


def test_the_proxy_brings_the_applications_answer(http: httpx.Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    for where in ("pods/web:8080", "services/web:80", "services/web:main", "services/http:web:80"):
        assert http.get(f"{path}/{where}/proxy/").status_code == 200, where


def test_the_proxy_says_in_a_status_why_it_reached_no_pod(
    http: httpx.Client, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    closed = http.get(f"{path}/pods/web:9999/proxy/")
    assert_status(closed, 503, "ServiceUnavailable")
    assert "error trying to reach service: dial tcp" in closed.json()["message"]
    assert "connection refused" in closed.json()["message"]
    empty = http.get(f"{path}/services/empty:80/proxy/")
    assert_status(empty, 503, "ServiceUnavailable")
    assert empty.json()["message"] == 'no endpoints available for service "empty"'
    other = http.get(f"{path}/services/web:81/proxy/")
    assert_status(other, 503, "ServiceUnavailable")
    assert other.json()["message"] == 'no service port 81 found for service "web"'
    assert_status(http.get(f"{path}/services/absent:80/proxy/"), 404, "NotFound")
