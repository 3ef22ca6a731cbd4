"""Rungs 1 and 2 keep what they promise: a past is served as it was, a population is accepted as it
is."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime

import pytest

from tests.rungs.controlplane import control_plane
from tests.rungs.fixtures import or_missing
from tests.rungs.population import CRASHING, population
from tests.rungs.programs.processes import wait_until


def test_a_past_is_served_as_it_was() -> None:
    born = "2025-02-03T04:05:06Z"
    managed: dict[str, object] = {
        "manager": "helm",
        "operation": "Update",
        "apiVersion": "v1",
        "time": born,
        "fieldsType": "FieldsV1",
    }
    managed["fieldsV1"] = {"f:data": {"f:a": {}}}
    past = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "shop", "creationTimestamp": born},
            "status": {"phase": "Active"},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "settings",
                "namespace": "shop",
                "uid": "past-uid",
                "creationTimestamp": born,
                "managedFields": [managed],
            },
            "data": {"a": "b"},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": born},
            "spec": {
                "clusterIP": "10.96.7.7",
                "clusterIPs": ["10.96.7.7"],
                "ports": [{"port": 80}],
                "type": "ClusterIP",
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "old.1", "namespace": "shop", "creationTimestamp": born},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "gone"},
            "type": "Warning",
            "reason": "BackOff",
            "lastTimestamp": born,
        },
    ]
    with (
        or_missing("control plane", control_plane(objects=past)) as cluster,
        cluster.client() as http,
    ):
        seen = http.get("/api/v1/namespaces/shop/configmaps/settings").json()
        assert (seen["metadata"]["uid"], seen["metadata"]["creationTimestamp"]) == (
            "past-uid",
            born,
        )
        assert [
            (entry["manager"], entry["time"]) for entry in seen["metadata"]["managedFields"]
        ] == [("helm", born)]
        assert (
            http.get("/api/v1/namespaces/shop/services/web").json()["spec"]["clusterIP"]
            == "10.96.7.7"
        )
        events = http.get("/api/v1/events").json()["items"]
        assert [(event["reason"], event["lastTimestamp"]) for event in events] == [
            ("BackOff", born)
        ], "nothing was added, nothing repaired"


def test_a_population_stays_as_it_was_written() -> None:
    now = datetime.now(UTC)
    written = population(nodes=5, pods=100, now=now)
    with (
        or_missing(
            "control plane with workloads", control_plane(objects=written, workloads=True)
        ) as cluster,
        cluster.client() as http,
    ):

        def settled() -> bool:
            """Controllers and kwok have been through everything: a new Deployment's pod runs, on
            one of the nodes."""
            found = http.get(
                "/api/v1/namespaces/team-000/pods", params={"labelSelector": "app=late"}
            ).json()["items"]
            return bool(found) and found[0]["status"]["phase"] == "Running"

        labels = {"app": "late"}
        container = {"name": "main", "image": "registry.example/late:1"}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "late"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        http.post(
            "/apis/apps/v1/namespaces/team-000/deployments", json=deployment
        ).raise_for_status()
        wait_until(settled, "a new pod on a kwok node", limit=60)
        pods = [
            pod
            for pod in http.get("/api/v1/pods").json()["items"]
            if pod["metadata"]["labels"].get("app") != "late"
        ]
        expected = {
            item["metadata"]["uid"]
            for item in population(nodes=5, pods=100, now=now)
            if item["kind"] == "Pod"
        }
        assert {pod["metadata"]["uid"] for pod in pods} == expected
        waiting = [
            pod["metadata"]["name"]
            for pod in pods
            if "waiting" in pod["status"]["containerStatuses"][0]["state"]
        ]
        assert len(waiting) == 12
        assert all(name.startswith(CRASHING) for name in waiting)
        deployments = http.get("/apis/apps/v1/deployments").json()["items"]
        lacking = {
            item["metadata"]["name"]: item["status"].get("unavailableReplicas", 0)
            for item in deployments
        }
        assert lacking == {
            CRASHING: 12,
            **{f"service-{number:04d}": 0 for number in range(1, 5)},
            "late": 0,
        }
        nodes = http.get("/api/v1/nodes").json()["items"]
        assert len(nodes) == 5
        assert all(
            {"type": "Ready", "status": "True"}.items() <= node["status"]["conditions"][0].items()
            for node in nodes
        )


def test_nothing_outlives_the_rung() -> None:
    with or_missing("control plane", control_plane()) as cluster:
        pids = [process.pid for process in cluster.processes.values()]
        cluster.processes["kube-apiserver"].freeze()  # a frozen one has to go as well
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not cluster.directory.exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, (
        "the rungs install no handlers of their own"
    )
