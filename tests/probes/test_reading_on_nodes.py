"""Probes that only read, on real kubelets and a real API server: what they tell is compared with
what these say themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from probes.result import Component, ProbeResult
from tests.probes.onnodes import measure, ours, told
from tests.rungs.nodes import Lab
from tests.rungs.programs.processes import wait_until
from tests.rungs.story import deployment

pytestmark = pytest.mark.nodes

SPACE = "reading"
BURN = ["sh", "-c", "while :; do :; done"]
# The first of the three has nothing to say.
TALK = [
    "sh",
    "-c",
    '[ "${HOSTNAME##*-}" = 0 ] && exec sleep 86400; while :; do echo tick; sleep 1; done',
]
# An agent that is broken on one node: what the story's network agent was.
AGENT = ["sh", "-c", '[ "$NODE" = node-2 ] && exit 1; exec sleep 86400']


def workload(kind: str, name: str, command: list[str], **container: Any) -> dict[str, Any]:
    """A workload of one busybox container in `SPACE`, as the story's Deployments are."""
    body = deployment(SPACE, f"{name}-on-any", "", command)
    labels = {"app": name}
    body["kind"], body["metadata"]["name"] = kind, name
    body["spec"] |= {"selector": {"matchLabels": labels}}
    body["spec"]["template"]["metadata"]["labels"] = labels
    pod = body["spec"]["template"]["spec"]
    pod.pop("nodeSelector")
    pod["containers"][0] |= container
    if kind != "Deployment":
        body["spec"].pop("replicas")
    return body


@contextmanager
def busy(http: httpx.Client) -> Iterator[None]:
    """A namespace with a throttled pod, three talkers of which one is silent, and an agent that
    crashes on node-2."""
    http.post(
        "/api/v1/namespaces",
        json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
    ).raise_for_status()
    env = [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    talkers = workload("StatefulSet", "talker", TALK)
    talkers["spec"] |= {"replicas": 3, "podManagementPolicy": "Parallel", "serviceName": "talker"}
    limits = {
        "requests": {"cpu": "1m", "memory": "8Mi"},
        "limits": {"cpu": "20m", "memory": "32Mi"},
    }
    try:
        for plural, body in (
            ("deployments", workload("Deployment", "burner", BURN, resources=limits)),
            ("statefulsets", talkers),
            ("daemonsets", workload("DaemonSet", "kube-router", AGENT, env=env)),
        ):
            http.post(f"/apis/apps/v1/namespaces/{SPACE}/{plural}", json=body).raise_for_status()

        def started() -> bool:
            pods = http.get(f"/api/v1/namespaces/{SPACE}/pods").raise_for_status().json()["items"]
            running = [
                p
                for p in pods
                if any("running" in s["state"] for s in p["status"].get("containerStatuses", ()))
            ]
            failed = [
                p
                for p in pods
                if any(s["restartCount"] for s in p["status"].get("containerStatuses", ()))
            ]
            return len(running) >= 5 and bool(failed)

        wait_until(started, f"the pods of {SPACE} started", limit=60)
        yield
    finally:
        http.delete(f"/api/v1/namespaces/{SPACE}")
        wait_until(
            lambda: http.get(f"/api/v1/namespaces/{SPACE}").status_code == 404,
            f"{SPACE} gone",
            limit=60,
        )


@pytest.fixture(scope="module")
def lab(nodes_lab: Lab) -> Iterator[tuple[Lab, httpx.Client]]:
    with nodes_lab.cluster.client() as http, busy(http):
        yield nodes_lab, http


async def read(lab: Lab, name: str, **arguments: str) -> ProbeResult:
    result = await measure(lab, name, **arguments)
    assert result.created == ()
    assert result.left_behind == ()
    return result


def resident(process: int) -> float:
    """Resident bytes of a kubelet by /proc; the process that was started is the one that entered
    its namespaces."""
    found = [process]
    for each in found:
        found += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    sizes = [
        line
        for each in found
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return max(int(line.split()[1]) for line in sizes) * 1024.0


async def test_kubelets_answer_and_their_memory_is_that_of_proc(
    lab: tuple[Lab, httpx.Client],
) -> None:
    nodes, http = lab
    leases = (
        http.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        .raise_for_status()
        .json()["items"]
    )
    result = await read(nodes, "kubelet")
    assert result.complete, told(result)
    assert [(row.subject.name, row.normal) for row in result.rows] == [
        ("node-1", True),
        ("node-2", True),
    ]
    for row in result.rows:
        there = resident(nodes.cluster.processes[f"{row.subject.name}-kubelet"].pid)
        assert 0.7 * there < float(row.facts["kubelet_memory_bytes"]) < 1.3 * there, (row, there)
        assert "healthz 'ok'" in row.seen
        # In the first seconds of a cluster the namespace of the leases is not there yet.
        assert "lease" in row.seen or row.subject.name not in {
            each["metadata"]["name"] for each in leases
        }


async def test_what_no_pod_accounts_for_is_the_node_less_its_pods(
    lab: tuple[Lab, httpx.Client],
) -> None:
    nodes, http = lab
    result = await read(nodes, "unaccounted")
    assert result.complete, told(result)
    for row in result.rows:
        stats = (
            http.get(
                f"/api/v1/nodes/{row.subject.name}/proxy/stats/summary?only_cpu_and_memory=true"
            )
            .raise_for_status()
            .json()
        )
        pods = sum(pod["memory"]["workingSetBytes"] for pod in stats["pods"])
        whole = stats["node"]["memory"]["workingSetBytes"]
        assert pods > 0
        assert abs(whole - pods - float(row.facts["bytes"])) < 0.25 * whole, (row, whole, pods)
        assert row.normal is not None
        assert 0 <= float(row.facts["cores"]) < 64


async def test_a_tiny_limit_is_named_with_what_is_used_of_it(lab: tuple[Lab, httpx.Client]) -> None:
    nodes, _ = lab
    result = await read(nodes, "cpu-throttling", namespace=SPACE, seconds="3")
    assert result.complete, told(result)
    assert [c.component.name.rpartition("-")[0].rpartition("-")[0] for c in result.conclusions] == [
        f"{SPACE}/burner"
    ], told(result)
    row = next(row for row in result.rows if row.normal is False)
    assert float(row.facts["share"]) > 0.8
    assert 0.01 <= float(row.facts["cores"]) <= 0.04, row
    assert "of 0.02" in row.seen
    assert "uses its limit up" in result.conclusions[0].next
    assert len(result.rows) == 1, "without a limit there is nothing to hold back"


async def test_the_silent_one_of_three_talkers(lab: tuple[Lab, httpx.Client]) -> None:
    nodes, _ = lab
    result = await read(nodes, "log-silence", namespace=SPACE, owner="talker")
    assert result.complete, told(result)
    assert [c.component for c in result.conclusions] == [Component("pod", f"{SPACE}/talker-0")], (
        told(result)
    )
    assert {row.subject.name: row.normal for row in result.rows} == {
        "talker-0": False,
        "talker-1": True,
        "talker-2": True,
    }


async def test_the_agent_that_crashes_on_one_node(lab: tuple[Lab, httpx.Client]) -> None:
    nodes, _ = lab
    result = await read(nodes, "cni-health")
    assert {c.component.name for c in result.conclusions} == {"kube-router on node-2"}, told(result)
    assert {row.subject.name: row.normal for row in result.rows} == {
        "node-1": True,
        "node-2": False,
    }
    drift = await read(nodes, "image-drift", namespace=SPACE)
    assert [row.normal for row in drift.rows] == [True], told(drift)


async def test_the_api_server_is_measured_and_nothing_is_stored(
    lab: tuple[Lab, httpx.Client],
) -> None:
    nodes, http = lab
    result = await read(nodes, "api-health", rounds="3")
    assert result.complete, told(result)
    assert [row.normal for row in result.rows] == [True] * 4, told(result)
    assert result.requests == 12
    names = [
        each["metadata"]["name"]
        for each in http.get("/api/v1/configmaps").raise_for_status().json()["items"]
    ]
    assert not [name for name in names if name.startswith("stanch-probe-")]
    assert ours(http) == []


async def test_a_key_that_went_is_named_with_its_writer(lab: tuple[Lab, httpx.Client]) -> None:
    nodes, http = lab
    path = f"/api/v1/namespaces/{SPACE}/secrets"
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "stringData": {"user": "a", "password": "b"},
    }
    http.post(path, json=body, params={"fieldManager": "deployer"}).raise_for_status()
    user = deployment(SPACE, "user-of-it", "node-1", ["sleep", "86400"])
    source = {"secretKeyRef": {"name": "db", "key": "password"}}
    user["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "P", "valueFrom": source}]
    http.post(f"/apis/apps/v1/namespaces/{SPACE}/deployments", json=user).raise_for_status()
    wait_until(
        lambda: "user-of-it" in http.get(f"/api/v1/namespaces/{SPACE}/pods").text,
        "the pod that uses the key",
        limit=20,
    )
    well = await read(nodes, "secret-keys", namespace=SPACE)
    assert [row.normal for row in well.rows] == [True], told(well)
    merge = {"Content-Type": "application/merge-patch+json"}
    http.patch(
        f"{path}/db",
        json={"data": {"password": None}},
        headers=merge,
        params={"fieldManager": "cleaner"},
    ).raise_for_status()
    lost = await read(nodes, "secret-keys", namespace=SPACE)
    assert lost.conclusions[0].component == Component("secret", f"{SPACE}/db"), told(lost)
    assert "lacks password" in lost.conclusions[0].claim
    assert "last written by" in lost.conclusions[0].claim


async def test_what_is_open_and_how_much_room_is_left(lab: tuple[Lab, httpx.Client]) -> None:
    nodes, http = lab
    spec = {"type": "NodePort", "selector": {"app": "burner"}, "ports": [{"port": 80}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "grafana"}, "spec": spec}
    created = http.post(f"/api/v1/namespaces/{SPACE}/services", json=body).raise_for_status().json()
    result = await read(nodes, "exposure", namespace=SPACE)
    assert [c.component for c in result.conclusions] == [
        Component("service", f"{SPACE}/grafana")
    ], told(result)
    assert str(created["spec"]["ports"][0]["nodePort"]) in result.rows[0].seen
    room = await read(nodes, "address-space")
    for row in room.rows:
        selector = {"fieldSelector": f"spec.nodeName={row.subject.name}"}
        pods = http.get("/api/v1/pods", params=selector).raise_for_status().json()["items"]
        alive = [p for p in pods if p["status"]["phase"] not in ("Succeeded", "Failed")]
        assert f"{len(alive)} of 110 pod slots in use" in row.seen, told(room)


async def test_a_volume_that_a_node_which_is_gone_still_holds(
    lab: tuple[Lab, httpx.Client],
) -> None:
    nodes, http = lab
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": SPACE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeName": "pv-1",
        },
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "csi": {"driver": "disks.test", "volumeHandle": "1"},
            "claimRef": {"namespace": SPACE, "name": "data"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    }
    attachment = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": "held"},
        "spec": {
            "attacher": "disks.test",
            "nodeName": "node-9",
            "source": {"persistentVolumeName": "pv-1"},
        },
    }
    held = "/apis/storage.k8s.io/v1/volumeattachments"
    try:
        http.post("/api/v1/persistentvolumes", json=volume).raise_for_status()
        http.post(
            f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims", json=claim
        ).raise_for_status()
        http.post(held, json=attachment).raise_for_status()
        result = await read(nodes, "volume-attach")
        assert Component("node", "node-9") in [c.component for c in result.conclusions], told(
            result
        )
    finally:
        for path in (
            f"{held}/held",
            f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims/data",
            "/api/v1/persistentvolumes/pv-1",
        ):
            http.delete(path)
