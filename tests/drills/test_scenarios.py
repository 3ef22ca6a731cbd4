"""Every drill expands, the same way each time, into objects that hang together."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache

import pytest

from drills.api.objects import (
    Obj,
    condition,
    controller_of,
    dig,
    parse_duration,
    parse_time,
    rfc3339,
    rfc3339_micro,
)
from drills.controllers.status_sync import status_updates
from drills.scenario.catalogue import describe, ids, load
from drills.scenario.expand import expand, objects
from drills.scenario.model import BACKGROUNDS, SCENARIOS, ScenarioError
from tests.drills.conftest import NOW, scenario
from tests.drills.shapes import faults_of

CATALOGUE = [
    "container-runtime-crash-memory-leak",
    "replicas-packed-on-one-node",
    "network-policy-cni-version-skew",
    "secrets-emptied-by-controller",
    "load-balancer-backends-flapping",
    "egress-snat-misconfigured",
    "cpu-throttling-below-limit",
    "log-shipper-stalled-on-node",
    "stateful-operator-data-loss",
    "cpu-hot-node-kernel-panic",
    "cryptomining-exposed-dashboard",
    "ingress-controller-oom",
    "cronjob-pod-flood",
    "ingress-routes-lost-api-server-down",
    "coredns-oom",
    "etcd-data-deleted",
    "etcd-connectivity-api-latency",
    "cluster-upgrade-breaks-cluster",
    "kubelet-memory-leak",
    "secret-not-found-blocks-deployments",
    "container-runtime-hung",
    "dns-latency-ndots",
    "errors-during-rollout",
    "volume-attach-stuck",
    "pod-ip-exhaustion",
    "node-disk-full-container-logs",
    "cni-not-ready-on-new-node",
    "nodes-notready-system-oom",
]

SILENT = [name for name in CATALOGUE if load(name).answer.silent]


@cache
def expanded(name: str) -> tuple[Obj, ...]:
    """The objects of a drill; no test changes them."""
    return tuple(objects(load(name), NOW))


def test_the_catalogue_is_complete() -> None:
    assert ids() == sorted(CATALOGUE)
    assert [row["id"] for row in describe(ids())] == ids()
    assert all(row["title"] and row["description"] and row["story"] for row in describe(ids()))


def test_an_unknown_drill_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        ScenarioError, match="no drill 'nothing-like-it'; run `stanch drill --list`"
    ):
        load("nothing-like-it")


@pytest.mark.parametrize("name", CATALOGUE)
def test_objects_hang_together(name: str) -> None:
    found = list(expanded(name))
    assert list(faults_of(found, NOW)) == []
    pods, nodes = (sum(1 for o in found if o["kind"] == kind) for kind in ("Pod", "Node"))
    assert nodes >= 12
    assert pods >= 150 or name == "etcd-data-deleted"


@pytest.mark.parametrize("name", CATALOGUE)
def test_expansion_is_deterministic(name: str) -> None:
    assert tuple(objects(load(name), NOW)) == expanded(name)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_answer_names_its_runbook_and_its_time(name: str) -> None:
    drill = load(name)
    assert drill.id == name
    assert drill.answer.runbook == name
    assert (drill.answer.since is None) == drill.answer.silent
    assert (drill.answer.told is None) == drill.answer.silent
    assert len(drill.answer.decoys) >= 2
    assert drill.answer.words
    assert drill.answer.debrief["did"]
    assert drill.answer.debrief["took"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_controllers_have_nothing_left_to_write(name: str) -> None:
    world = expand(load(name), NOW)
    left = [(o["kind"], o["metadata"]["name"]) for o, _ in status_updates(world.of, NOW)]
    assert left == []


@pytest.mark.parametrize("name", SILENT)
def test_silent_faults_leave_no_trace_in_the_objects(name: str) -> None:
    world = expand(load(name), NOW)
    assert [e["reason"] for e in world.of("Event") if e["type"] == "Warning"] == []
    assert all(
        dig(condition(p, "Ready"), "status") == "True"
        for p in world.of("Pod")
        if p["status"]["phase"] == "Running"
    )


def test_a_rollout_kills_each_old_pod_once() -> None:
    """Two old pods are gone and two are going; nothing else of the old revision was stopped."""
    events = [e for e in expanded("errors-during-rollout") if e["kind"] == "Event"]
    about = {e["involvedObject"]["name"] for e in events if e["reason"] == "Killing"}
    killed = {name for name in about if name.startswith("checkout-")}
    deleted = {e["message"].rpartition(" ")[2] for e in events if e["reason"] == "SuccessfulDelete"}
    present = {o["metadata"]["name"] for o in expanded("errors-during-rollout")}
    assert len(killed) == 4
    assert killed - present == {name for name in deleted if name.startswith("checkout-")}


def test_the_background_is_healthy() -> None:
    world = expand(scenario(), NOW)
    assert len(world.by_kind["Node"]) >= 12
    assert len(world.by_kind["Pod"]) >= 150
    assert (
        len({n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in world.of("Node")}) == 3
    )
    assert [e for e in world.of("Event") if e["type"] != "Normal"] == []
    for node in world.of("Node"):
        assert {c["type"]: c["status"] for c in node["status"]["conditions"]} == {
            "Ready": "True",
            "MemoryPressure": "False",
            "DiskPressure": "False",
            "PIDPressure": "False",
        }
        assert not node["spec"].get("unschedulable")
    for pod in world.of("Pod"):
        if pod["status"]["phase"] == "Running":
            assert dig(condition(pod, "Ready"), "status") == "True"
            assert all(
                s["ready"] and s["restartCount"] == 0 for s in pod["status"]["containerStatuses"]
            )
        else:
            assert (pod["status"]["phase"], (controller_of(pod) or {}).get("kind")) == (
                "Succeeded",
                "Job",
            )
    for kind in ("Deployment", "StatefulSet"):
        for owner in world.of(kind):
            assert owner["status"]["readyReplicas"] == owner["spec"]["replicas"]
    for budget in world.of("PodDisruptionBudget"):
        assert budget["status"]["disruptionsAllowed"] >= 1
    for lease in world.of("Lease"):
        assert NOW - parse_time(lease["spec"]["renewTime"]) < timedelta(seconds=15)


def test_no_service_of_the_background_stands_on_one_node() -> None:
    world = expand(scenario(), NOW)
    for deployment in world.of("Deployment"):
        nodes = [
            p["spec"]["nodeName"]
            for p in world.of("Pod")
            if (controller_of(p) or {})
            .get("name", "")
            .startswith(deployment["metadata"]["name"] + "-")
            and p["metadata"]["namespace"] == deployment["metadata"]["namespace"]
        ]
        assert len(set(nodes)) == len(nodes), deployment["metadata"]["name"]


@pytest.mark.parametrize("background", ["standard"])
def test_names_of_the_background_tell_nothing(background: str) -> None:
    told = {"oom", "crash", "leak", "fail", "broken", "bad", "sick", "fault", "drill"}
    for o in objects(scenario(background=background), NOW):
        assert not told & set(o["metadata"]["name"].replace(".", "-").split("-")), o["metadata"][
            "name"
        ]


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n not in SILENT])
def test_the_answer_begins_within_reach_of_the_objects(name: str) -> None:
    """Something is stamped within three minutes of the moment that the answer gives."""
    drill = load(name)
    assert drill.answer.since is not None
    begun = NOW + parse_duration(drill.answer.since)
    stamps = set()
    for o in expanded(name):
        stamps.add(o["metadata"]["creationTimestamp"])
        stamps.update(e["time"] for e in o["metadata"]["managedFields"])
        stamps.update(
            c["lastTransitionTime"]
            for c in dig(o, "status", "conditions", default=[])
            if c.get("lastTransitionTime")
        )
        stamps.update(o[f] for f in ("firstTimestamp", "lastTimestamp") if o.get(f))
    assert min(abs(parse_time(s) - begun) for s in stamps) < timedelta(minutes=3)


def test_a_scenario_that_does_not_fit_says_where() -> None:
    with pytest.raises(ScenarioError, match="scenario test: ValueError: no Pod matches"):
        expand(scenario(podStates=[{"select": {"app": "absent"}, "state": "unready"}]), NOW)
    with pytest.raises(ScenarioError, match="pod state 'sad' is not one of"):
        expand(scenario(podStates=[{"select": {"app": "cart"}, "state": "sad"}]), NOW)


def test_times_count_back_from_the_day_of_the_drill() -> None:
    """A fixed date in a field would be old, or in the future, when the drill is played."""
    fixed = re.compile(r"(?:Time|Timestamp|-at): *[\"']?20\d\d-")
    texts = [p for folder in (SCENARIOS, BACKGROUNDS) for p in folder.rglob("*.yaml")]
    assert len(texts) > 90
    assert [p.name for p in texts if fixed.search(p.read_text("utf-8"))] == []


def test_a_time_in_a_raw_object_is_written_as_its_field_has_it() -> None:
    lease = {"kind": "Lease", "metadata": {"name": "x", "namespace": "kube-system"}, "age": "1h"}
    rows = [lease | {"spec": {"renewTime": "NOW-8m"}, "status": {"seenTime": "NOW"}}]
    made = expand(scenario(objects=rows), NOW).get("Lease", "kube-system", "x")
    assert made is not None
    assert made["spec"]["renewTime"] == rfc3339_micro(NOW - timedelta(minutes=8))
    assert made["status"]["seenTime"] == rfc3339(NOW)


def test_each_drill_is_a_cluster_of_its_own() -> None:
    def uid(name: str) -> str:
        found = expand(load(name), NOW).objects["Namespace", "", "kube-system"]
        return str(found["metadata"]["uid"])

    assert uid("coredns-oom") == uid("coredns-oom") != uid("container-runtime-hung")
