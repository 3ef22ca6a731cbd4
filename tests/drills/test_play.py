"""The script of a drill changes the cluster while it is served; other names hold everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from drills.api.objects import condition, created_at, dig, holds
from drills.pods.selection import matches
from drills.scenario.catalogue import ids, load
from drills.scenario.expand import objects
from drills.scenario.renaming import shuffle
from drills.server.http import DrillServer
from drills.server.play import apply_step
from tests import shipped
from tests.drills.conftest import NOW, PATIENCE
from tests.drills.shapes import faults_of
from tests.drills.test_server import until

Serve = Callable[..., tuple[DrillServer, httpx.Client]]


def test_steps_come_in_time_and_faults_go(serve: Serve) -> None:
    data = {
        "faults": [{"action": "forbidden", "resource": "secrets"}],
        "script": [
            {
                "after": "10s",
                "nodeStates": [{"select": {"name": "node-a1"}, "state": "unknown", "since": "1s"}],
            },
            {"after": "80s", "clearFaults": True},
            {
                "after": "90s",
                "workloads": [{"namespace": "tools", "name": "late", "image": "i:1", "age": "1s"}],
            },
        ],
    }
    _, http = serve(data, speed=20.0)
    assert http.get("/api/v1/secrets").status_code == 403
    node = until(
        lambda: (
            (n := http.get("/api/v1/nodes/node-a1").json())
            and any(
                c["type"] == "Ready" and c["status"] == "Unknown" for c in n["status"]["conditions"]
            )
            and n
        )
    )
    assert [t["key"] for t in node["spec"]["taints"]] == ["node.kubernetes.io/unreachable"] * 2
    assert next(
        e["time"] for e in node["metadata"]["managedFields"] if e.get("subresource") == "status"
    )
    lost = http.get("/api/v1/pods", params={"fieldSelector": "spec.nodeName=node-a1"}).json()[
        "items"
    ]
    assert {
        dig(condition(p, "Ready"), "status") for p in lost if p["status"]["phase"] == "Running"
    } == {"False"}
    assert until(lambda: http.get("/api/v1/secrets").status_code == 200)
    assert until(
        lambda: http.get("/apis/apps/v1/namespaces/tools/deployments/late").status_code == 200
    )


def test_a_step_writes_only_what_it_changes(serve: Serve) -> None:
    server, http = serve({})
    version = int(http.get("/api/v1/nodes").json()["metadata"]["resourceVersion"])
    server.heartbeats.moving = False
    apply_step(
        server.state,
        {"nodeStates": [{"select": {"name": "node-a1"}, "state": "cordoned", "since": "1s"}]},
    )
    changed = [
        e.obj["metadata"]["name"]
        for kind in server.kinds
        if kind.plural != "leases"
        for e in server.store.entries(kind)
        if e.rv > version and kind.group != "events.k8s.io"
    ]
    assert sorted({n.split(".")[0] for n in changed}) == ["node-a1"]


def test_a_lease_stays_stale_until_its_holder_renews_it(serve: Serve) -> None:
    stale = {"kind": "Lease", "namespace": "kube-system", "name": "kube-scheduler"}
    patch = {**stale, "merge": {"spec": {"renewTime": "NOW-20m"}}}
    _, http = serve({"patch": [patch]}, speed=20.0)
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

    def renewed(name: str) -> str:
        return str(http.get(f"{leases}/{name}").json()["spec"]["renewTime"])

    before = {name: renewed(name) for name in ("kube-scheduler", "kube-controller-manager")}
    assert until(lambda: renewed("kube-controller-manager") != before["kube-controller-manager"])
    assert renewed("kube-scheduler") == before["kube-scheduler"]
    back = {"spec": {"renewTime": before["kube-controller-manager"]}}
    kind = {"Content-Type": "application/merge-patch+json"}
    http.patch(f"{leases}/kube-scheduler", json=back, headers=kind)
    assert until(lambda: renewed("kube-scheduler") > before["kube-controller-manager"])


@pytest.mark.parametrize(
    "name",
    ["network-policy-cni-version-skew", "secrets-emptied-by-controller", "volume-attach-stuck"],
)
def test_other_names_hang_together(name: str) -> None:
    drill = load(name)
    plain, renamed = objects(drill, NOW), objects(shuffle(drill, 7), NOW)
    assert list(faults_of(renamed, NOW)) == []
    assert len(plain) == len(renamed)
    assert {o["metadata"]["uid"] for o in plain} == {o["metadata"]["uid"] for o in renamed}
    assert objects(shuffle(drill, 7), NOW) == renamed
    nodes = {o["metadata"]["name"] for o in renamed if o["kind"] == "Node"}
    assert not any(n.startswith(("node-", "cp-")) for n in nodes)
    assert {"kube-system", "default"} <= {
        o["metadata"]["name"] for o in renamed if o["kind"] == "Namespace"
    }
    assert "marketplace" not in {o["metadata"].get("namespace") for o in renamed}


def test_objects_can_be_renamed_on_their_own() -> None:
    plain = objects(load("coredns-oom"), NOW)
    assert list(faults_of(shuffle(plain, 3), NOW)) == []


def test_scripts_follow_the_other_names(serve: Serve) -> None:
    server, http = serve(
        {
            "shuffle": 5,
            "script": [
                {
                    "after": "1s",
                    "nodeStates": [
                        {"select": {"name": "node-a1"}, "state": "cordoned", "since": "1s"}
                    ],
                }
            ],
        }
    )
    name = server.state.world.renames["node-a1"]
    assert until(lambda: http.get(f"/api/v1/nodes/{name}").json()["spec"].get("unschedulable"))


def test_an_out_of_service_node_gives_its_volumes_to_the_pods_that_wait(serve: Serve) -> None:
    """So does Kubernetes 1.28 and later; a node that is Ready keeps its volumes."""
    parts = ("workloads", "nodeStates", "podStates")
    _, http = serve({part: load("volume-attach-stuck").data[part] for part in parts})
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown"}
    merge = {"Content-Type": "application/merge-patch+json"}

    def node_holds(name: str) -> int:
        found = http.get("/apis/storage.k8s.io/v1/volumeattachments").json()["items"]
        return sum(each["spec"]["nodeName"] == name for each in found)

    def mark(name: str) -> None:
        spec = {"taints": [{**taint, "effect": "NoExecute"}]}
        body = json.dumps({"spec": spec})
        assert http.patch(f"/api/v1/nodes/{name}", content=body, headers=merge).status_code == 200

    def waiting() -> dict[str, Any]:
        found: dict[str, Any] = http.get("/api/v1/namespaces/analytics/pods/clickstream-0").json()
        return found

    assert waiting()["status"]["phase"] == "Pending"
    kept = node_holds("node-a2")
    mark("node-a2")
    mark("node-b3")
    assert until(lambda: waiting()["status"]["phase"] == "Running")
    ready = {c["type"]: c["status"] for c in waiting()["status"]["conditions"]}
    assert ready["Ready"] == "True"
    assert node_holds("node-b3") == 0
    assert node_holds(waiting()["spec"]["nodeName"]) > 0
    assert node_holds("node-a2") == kept > 0


def test_a_change_by_hand_plays_what_follows_from_it(serve: Serve) -> None:
    """Only the step that was done: the embedded cluster has no hosts that a person could reach."""
    parts = ("workloads", "nodeStates", "podStates", "byHand")
    server, http = serve({part: load("container-runtime-hung").data[part] for part in parts})

    def ready(path: str) -> str:
        return str(dig(condition(http.get(path).json(), "Ready"), "status"))

    def pods() -> dict[str, Any]:
        every = {"fieldSelector": "spec.nodeName=node-c3"}
        found = http.get("/api/v1/pods", params=every).json()["items"]
        return {pod["metadata"]["name"]: pod for pod in found}

    waiting = [name for name, pod in pods().items() if pod["status"]["phase"] == "Pending"]
    assert waiting
    server.made_by_hand("replace")
    server.made_by_hand("no-such-step")
    assert ready("/api/v1/nodes/node-c3") == "False"
    assert http.post("/_drill/by-hand/no-such-step").status_code == 404
    assert http.post("/_drill/by-hand/restart-runtime").status_code == 200
    assert until(lambda: ready("/api/v1/nodes/node-c3") == "True", PATIENCE)
    assert until(
        lambda: (now := pods()) and all(now[n]["status"]["phase"] == "Running" for n in waiting),
        PATIENCE,
    )
    rollout = "/apis/apps/v1/namespaces/billing/deployments/receipts"
    assert until(
        lambda: (
            (found := http.get(rollout).json()["status"]).get("updatedReplicas") == 3
            and found.get("readyReplicas") == 3
        )
    ), "the rollout that waited for the pod goes on"


def test_what_one_cause_brought_about_heals_when_the_cause_is_away(serve: Serve) -> None:
    """Applications become ready again, look-ups answer and logs are clean, as in a cluster."""
    parts = ("background", "podStates", "exec", "logs", "heals")
    server, http = serve({part: load("coredns-oom").data[part] for part in parts})
    shop = {"namespace": "marketplace", "app": "storefront"}
    client = next(p for p in server.store.of("Pod") if matches(p, shop, server.state.zone_of))

    def fails() -> int:
        network = server.state.network()
        answers = [network.look_up(client, "-", "catalog-api", n, 5)[0] for n in range(40)]
        return answers.count("timeout")

    def unready() -> list[str]:
        found = [p for p in server.store.of("Pod", "marketplace") if not holds(p, "Ready")]
        return [p["metadata"]["name"] for p in found]

    def last_line() -> str:
        meta = client["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
        return http.get(path, params={"tailLines": "1"}).text

    assert fails() > 10
    assert unready()
    assert "i/o timeout" in last_line()
    container = {"name": "coredns", "resources": {"limits": {"memory": "400Mi"}}}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    answer = http.patch(
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
        content=json.dumps(body),
        headers={"Content-Type": "application/strategic-merge-patch+json"},
    )
    assert answer.status_code == 200
    assert until(lambda: not unready(), PATIENCE)
    assert fails() == 0
    assert until(lambda: "i/o timeout" not in last_line(), PATIENCE)


def test_keys_that_a_patch_took_from_secrets_come_back(serve: Serve) -> None:
    rows = [{"kind": "Secret", "select": {"namespace": "billing", "type": "Opaque"}}]
    taken = [{**row, "removeKeys": ["*"], "by": "emptier", "at": "9m"} for row in rows]
    back = [{**row, "restoreKeys": True, "by": "terraform", "at": "0s"} for row in rows]
    server, _ = serve({"patch": taken, "byHand": {"restore": [{"after": "0s", "patch": back}]}})

    def with_keys() -> list[bool]:
        secrets = server.store.of("Secret", "billing")
        return [bool(each.get("data")) for each in secrets if each["type"] == "Opaque"]

    assert with_keys()
    assert not any(with_keys())
    server.made_by_hand("restore")
    assert until(lambda: all(with_keys()), PATIENCE)


@pytest.mark.parametrize("name", [each for each in ids() if "byHand" in load(each).data])
def test_each_change_by_hand_of_a_drill_is_one_of_its_runbook_and_can_be_played(
    serve: Serve, name: str
) -> None:
    drill = load(name)
    runbook = shipped.library().get(drill.answer.runbook)
    assert runbook is not None
    data = {
        part: rows for part, rows in drill.data.items() if part not in {"id", "story", "answer"}
    }
    for step_id, rows in drill.data["byHand"].items():
        step = runbook.step(step_id)
        assert step is not None and step.mutates, step_id  # noqa: PT018  # narrows the type
        server, _ = serve({**data, "shuffle": 7})
        for row in rows:
            apply_step(server.state, {**row, "startWaiting": []})


def test_a_restored_snapshot_brings_back_the_objects_with_their_age(serve: Serve) -> None:
    drill = load("etcd-data-deleted").data
    parts = ("background", "nodes", "namespaces", "workloads", "byHand")
    server, _ = serve({part: drill[part] for part in parts})
    assert not server.store.of("Deployment")
    server.made_by_hand("restore-snapshot")
    deployments = until(lambda: server.store.of("Deployment"), PATIENCE)
    assert all(each["status"]["readyReplicas"] == each["spec"]["replicas"] for each in deployments)
    system = server.store.lookup("Namespace", "", "kube-system")
    assert system is not None
    assert server.state.started_at - created_at(system) > timedelta(days=30), "the former one"
