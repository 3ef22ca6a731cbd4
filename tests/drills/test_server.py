"""What the embedded cluster answers beyond the contract: faults, snapshots, surroundings, the
stand-in for kubelets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from tests.drills.conftest import scenario

Serve = Callable[..., tuple[DrillServer, httpx.Client]]
PODS = "/api/v1/namespaces/tools/pods"


def until(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := holds():
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "main", "image": "busybox:1", "command": ["sleep", "9"]}],
            **spec,
        },
    }


def events(stream: httpx.Response) -> Any:
    return (json.loads(line) for line in stream.iter_lines())


def test_pages_come_from_one_moment(http: httpx.Client) -> None:
    first = http.get("/api/v1/pods", params={"limit": 50}).json()
    total = len(first["items"]) + first["metadata"]["remainingItemCount"]
    http.post(PODS, json=pod("aaa-between-pages")).raise_for_status()
    seen, page = len(first["items"]), first
    while token := page["metadata"].get("continue"):
        page = http.get("/api/v1/pods", params={"limit": 50, "continue": token}).json()
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += len(page["items"])
    assert seen == total
    http.delete(f"{PODS}/aaa-between-pages", params={"gracePeriodSeconds": 0}).raise_for_status()


def test_items_of_a_list_do_not_repeat_their_kind(http: httpx.Client) -> None:
    found = http.get("/api/v1/nodes").json()
    assert found["kind"] == "NodeList"
    assert "kind" not in found["items"][0]
    assert http.get("/api/v1/nodes/node-a1").json()["kind"] == "Node"


def test_events_look_the_same_in_both_groups(http: httpx.Client) -> None:
    http.post(PODS, json=pod("for-events")).raise_for_status()
    until(lambda: http.get(f"{PODS}/for-events").json()["status"]["phase"] == "Running")
    path = "/apis/events.k8s.io/v1/namespaces/tools/events"
    new = {e["metadata"]["uid"]: e for e in http.get(path).json()["items"]}
    old = http.get(
        "/api/v1/namespaces/tools/events",
        params={"fieldSelector": "involvedObject.name=for-events"},
    ).json()["items"]
    assert {e["reason"] for e in old} >= {"Scheduled", "Started"}
    assert all(new[e["metadata"]["uid"]]["note"] == e["message"] for e in old)
    assert all(new[e["metadata"]["uid"]]["regarding"]["name"] == "for-events" for e in old)


@pytest.mark.parametrize(
    ("rule", "status", "reason"),
    [
        ({"action": "forbidden", "resource": "secrets"}, 403, "Forbidden"),
        ({"action": "too-many", "resource": "secrets", "seconds": 2}, 429, "TooManyRequests"),
        ({"action": "error", "resource": "secrets", "code": 503}, 503, "ServiceUnavailable"),
        (
            {
                "action": "error",
                "resource": "secrets",
                "code": 500,
                "message": "etcdserver: request timed out",
            },
            500,
            "InternalError",
        ),
        ({"action": "unauthorized", "resource": "secrets"}, 401, "Unauthorized"),
    ],
)
def test_faults_over_http(
    http: httpx.Client, rule: dict[str, Any], status: int, reason: str
) -> None:
    http.post("/_drill/faults", json=rule).raise_for_status()
    answer = http.get("/api/v1/secrets")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers.get("Retry-After") == ("2" if status == 429 else None)
    assert http.get("/api/v1/pods", params={"limit": 1}).status_code == 200
    http.delete("/_drill/faults").raise_for_status()
    assert http.get("/api/v1/secrets").status_code == 200


def test_a_fault_counts_how_often_it_acts(server: DrillServer, http: httpx.Client) -> None:
    server.faults.error(500, "nodes", times=2)
    assert [http.get("/api/v1/nodes").status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_of_one_namespace(server: DrillServer, http: httpx.Client) -> None:
    server.faults.forbid("pods", namespace="billing")
    assert http.get("/api/v1/namespaces/billing/pods").status_code == 403
    assert http.get(PODS).status_code == 200
    review = {
        "spec": {"resourceAttributes": {"resource": "pods", "verb": "list", "namespace": "billing"}}
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert http.post(path, json=review).json()["status"]["allowed"] is False
    review["spec"]["resourceAttributes"]["namespace"] = "tools"
    assert http.post(path, json=review).json()["status"]["allowed"] is True


def test_a_bad_fault_is_explained(http: httpx.Client) -> None:
    answer = http.post("/_drill/faults", json={"action": "explode"})
    assert answer.status_code == 400
    assert "'explode' is not one of slow" in answer.json()["message"]


def test_an_answer_is_cut(http: httpx.Client) -> None:
    http.post(
        "/_drill/faults", json={"action": "cut", "resource": "pods", "after_bytes": 500, "times": 1}
    ).raise_for_status()
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/api/v1/pods")
    assert http.get("/api/v1/pods").status_code == 200


def test_silence(server: DrillServer, http: httpx.Client) -> None:
    server.faults.freeze()
    with pytest.raises(httpx.ReadTimeout):
        http.get("/readyz", timeout=0.3)
    server.faults.thaw()
    assert http.get("/readyz").text == "ok"


def test_a_watch_breaks_off_and_one_expires(server: DrillServer, http: httpx.Client) -> None:
    version = http.get("/api/v1/nodes").json()["metadata"]["resourceVersion"]
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": 20}
    with http.stream("GET", "/api/v1/nodes", params=query) as stream:
        http.post("/_drill/expire").raise_for_status()
        last = next(events(stream))
    assert (last["type"], last["object"]["code"], last["object"]["reason"]) == (
        "ERROR",
        410,
        "Expired",
    )
    version = http.get("/api/v1/nodes").json()["metadata"]["resourceVersion"]
    with http.stream(
        "GET", "/api/v1/nodes", params={**query, "resourceVersion": version}
    ) as stream:
        http.post("/_drill/cut").raise_for_status()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            list(events(stream))


def test_leases_are_renewed(http: httpx.Client) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-b1"
    before = http.get(path).json()["spec"]["renewTime"]
    assert until(lambda: http.get(path).json()["spec"]["renewTime"] > before)


def test_a_created_pod_starts_and_a_deleted_one_goes(http: httpx.Client) -> None:
    http.post(PODS, json=pod("short")).raise_for_status()
    ready = until(
        lambda: (p := http.get(f"{PODS}/short").json())["status"]["phase"] == "Running" and p
    )
    assert ready["status"]["podIP"].startswith("10.244.")
    assert ready["spec"]["nodeName"].startswith("node-")
    gone = http.delete(f"{PODS}/short").json()
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    assert until(lambda: http.get(f"{PODS}/short").status_code == 404)


def test_a_pod_with_an_absent_readiness_gate_never_becomes_ready(http: httpx.Client) -> None:
    http.post(
        PODS, json=pod("gated", readinessGates=[{"conditionType": "stanch/never"}])
    ).raise_for_status()
    seen = until(
        lambda: (p := http.get(f"{PODS}/gated").json())["status"]["phase"] == "Running" and p
    )
    assert (
        next(c["status"] for c in seen["status"]["conditions"] if c["type"] == "Ready") == "False"
    )
    assert seen["status"]["containerStatuses"][0]["ready"]


def test_an_image_that_cannot_be_pulled(serve: Serve) -> None:
    _, http = serve({"pullable": False})
    http.post(PODS, json=pod("stranger")).raise_for_status()
    reason = until(lambda: http.get(f"{PODS}/stranger").json()["status"].get("containerStatuses"))[
        0
    ]["state"]["waiting"]["reason"]
    assert reason in {"ErrImagePull", "ImagePullBackOff"}
    node = http.get("/api/v1/nodes/node-a1").json()
    present = node["status"]["images"][0]["names"][1]
    body = pod("known", nodeName="node-a1")
    body["spec"]["containers"][0].update(image=present, imagePullPolicy="Never")
    http.post(PODS, json=body).raise_for_status()
    assert until(lambda: http.get(f"{PODS}/known").json()["status"]["phase"] == "Running")


def test_owners_take_their_dependants_along(http: httpx.Client) -> None:
    owner = http.post(
        "/api/v1/namespaces/tools/configmaps", json={"metadata": {"name": "session"}}
    ).json()
    body = pod("owned")
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "session",
            "uid": owner["metadata"]["uid"],
        }
    ]
    http.post(PODS, json=body).raise_for_status()
    http.delete("/api/v1/namespaces/tools/configmaps/session").raise_for_status()
    assert until(lambda: http.get(f"{PODS}/owned").status_code == 404)


def test_evictions_ask_the_budget(http: httpx.Client) -> None:
    namespace = "/api/v1/namespaces/identity/pods"
    found = http.get(namespace, params={"labelSelector": "app.kubernetes.io/name=identity"}).json()[
        "items"
    ]
    codes = []
    for p in found:
        name = p["metadata"]["name"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": "identity"},
        }
        answer = http.post(f"{namespace}/{name}/eviction", json=body)
        codes.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.json()["details"]["causes"][0]["reason"] == "DisruptionBudget"
            break
    assert codes == [201, 201, 429]


def test_a_scaled_deployment_gets_its_pods(http: httpx.Client) -> None:
    path = "/apis/apps/v1/namespaces/media/deployments/uploads"
    answer = http.patch(
        f"{path}/scale",
        json={"spec": {"replicas": 4}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.json()["spec"]["replicas"] == 4
    assert until(lambda: http.get(path).json()["status"].get("readyReplicas") == 4)
    slices = http.get(
        "/apis/discovery.k8s.io/v1/namespaces/media/endpointslices",
        params={"labelSelector": "kubernetes.io/service-name=uploads"},
    ).json()["items"]
    assert len(slices[0]["endpoints"]) == 4


def test_node_and_pod_proxies(http: httpx.Client) -> None:
    summary = http.get("/api/v1/nodes/node-a1/proxy/stats/summary").json()
    assert {c["name"] for c in summary["node"]["systemContainers"]} == {
        "kubelet",
        "runtime",
        "pods",
    }
    assert summary["pods"][0]["memory"]["workingSetBytes"] > 0
    assert (
        "container_cpu_usage_seconds_total{"
        in http.get("/api/v1/nodes/node-a1/proxy/metrics/cadvisor").text
    )
    assert http.get("/api/v1/nodes/node-a1/proxy/configz").json()["kubeletconfig"]["maxPods"] == 110
    dns = http.get(
        "/api/v1/namespaces/kube-system/pods", params={"labelSelector": "k8s-app=kube-dns"}
    ).json()["items"][0]
    text = http.get(
        f"/api/v1/namespaces/kube-system/pods/{dns['metadata']['name']}:9153/proxy/metrics"
    ).text
    assert "coredns_dns_requests_total{" in text
    refused = http.get(
        f"/api/v1/namespaces/kube-system/pods/{dns['metadata']['name']}:1234/proxy/metrics"
    )
    assert refused.status_code == 503
    assert "connection refused" in refused.json()["message"]
    counted = 'apiserver_request_total{code="503",resource="pods",subresource="proxy",verb="GET"} 1'
    assert counted in http.get("/metrics").text.splitlines()


def test_health(serve: Serve) -> None:
    _, http = serve({"health": {"failing": ["etcd"]}})
    answer = http.get("/readyz", params={"verbose": ""})
    assert answer.status_code == 500
    assert "[-]etcd failed: reason withheld" in answer.text
    assert answer.text.endswith("readyz check failed\n")
    assert http.get("/livez").status_code == 200
    assert http.get("/readyz/ping").text == "ok"
    assert http.get("/readyz/etcd").status_code == 500


def test_a_token_is_asked_for(serve: Serve) -> None:
    _, http = serve({"background": None, "namespaces": ["default"]}, token="secret-token")
    assert http.get("/api/v1/namespaces").status_code == 401
    assert (
        http.get("/api/v1/namespaces", headers={"Authorization": "Bearer secret-token"}).status_code
        == 200
    )


def test_misplaced_fields_of_a_cronjob(http: httpx.Client) -> None:
    job = {
        "template": {
            "spec": {
                "containers": [{"name": "c", "image": "i"}],
                "restartPolicy": "Never",
                "concurrencyPolicy": "Forbid",
            }
        }
    }
    body = {
        "metadata": {"name": "x"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job}},
    }
    answer = http.post(
        "/apis/batch/v1/namespaces/tools/cronjobs", json=body, params={"fieldValidation": "Strict"}
    )
    assert answer.status_code == 400
    assert (
        'unknown field "spec.jobTemplate.spec.template.spec.concurrencyPolicy"'
        in answer.json()["message"]
    )


def test_ten_thousand_pods() -> None:
    """Not a benchmark: the size that the product is measured with must load and answer at all."""

    with (
        serve_in_thread(
            scenario(background=None, namespaces=["default"], nodes=[{"name": "n1", "index": 1}])
        ) as server,
        httpx.Client(base_url=server.url, timeout=20) as http,
    ):
        kind = server.kinds.by_object("v1", "Pod")
        assert kind is not None
        server.store.load(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p-{i}", "namespace": "default", "uid": str(i)},
                "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
                "status": {"phase": "Running"},
            }
            for i in range(10_000)
        )
        found = http.get("/api/v1/pods").json()["items"]
        assert len(found) == 10_000
        query = {
            "watch": "1",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "1",
        }
        with http.stream("GET", "/api/v1/pods", params=query) as stream:
            seen = list(events(stream))
        assert sum(1 for e in seen if e["type"] == "ADDED") == 10_000
        ended = next(e for e in seen if e["type"] == "BOOKMARK")
        assert ended["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
