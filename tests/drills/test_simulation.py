"""Controllers on simulated time: what a few words of a scenario become."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drills.api.objects import (
    Obj,
    condition,
    controller_of,
    created_at,
    dig,
    parse_time,
    rfc3339,
)
from drills.controllers.quotas import Quotas
from drills.controllers.status_sync import status_updates
from drills.scenario.expand import expand
from drills.scenario.world import World
from tests.drills.conftest import NOW, scenario

WEB: dict[str, Any] = {"namespace": "shop", "name": "front", "image": "front:2", "replicas": 3}


def shop(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "namespace": "shop", "name": name, "image": f"{name}:1"}


def world(*workloads: dict[str, Any]) -> World:
    return expand(scenario(background="small", workloads=list(workloads)), NOW)


def pods_of(found: World, owner: Obj) -> list[Obj]:
    uid = owner["metadata"]["uid"]
    return [p for p in found.of("Pod") if (controller_of(p) or {}).get("uid") == uid]


def sets_of(found: World, name: str) -> list[Obj]:
    """The ReplicaSets of a Deployment, oldest first."""
    mine = [r for r in found.of("ReplicaSet") if (controller_of(r) or {}).get("name") == name]
    return sorted(mine, key=created_at)


def reasons(found: World, about: str) -> set[str]:
    return {e["reason"] for e in found.of("Event") if e["involvedObject"]["name"] == about}


def test_a_roll_out_scales_the_old_revision_down_and_says_so() -> None:
    rows = {**WEB, "age": "20d", "rollout": "18m", "revisions": [{"image": "front:1", "age": "9d"}]}
    found = world(rows)
    old, new = sets_of(found, "front")
    assert [len(pods_of(found, rs)) for rs in (old, new)] == [0, 3]
    assert created_at(new) > created_at(old)
    revision = "deployment.kubernetes.io/revision"
    numbers = [int(rs["metadata"]["annotations"][revision]) for rs in (old, new)]
    deployment = found.get("Deployment", "shop", "front")
    assert deployment is not None
    shown = int(deployment["metadata"]["annotations"][revision])
    assert numbers == [shown - 1, shown]
    assert deployment["status"]["updatedReplicas"] == 3
    assert "ScalingReplicaSet" in reasons(found, "front")
    assert "SuccessfulDelete" in reasons(found, old["metadata"]["name"])


def test_a_roll_out_that_stands_still_keeps_old_pods() -> None:
    rows = {**WEB, "rollout": "18m", "current": 1}
    found = world({**rows, "revisions": [{"image": "front:1", "age": "9d", "keep": 2}]})
    assert [len(pods_of(found, rs)) for rs in sets_of(found, "front")] == [2, 1]


def test_a_daemon_set_leaves_out_nodes_that_its_pods_do_not_tolerate() -> None:
    row = shop("DaemonSet", "agent")
    found = world(row, {**row, "name": "every", "tolerations": [{"operator": "Exists"}]})
    nodes = {
        name: {p["spec"]["nodeName"] for p in found.select("Pod", {"app": name})}
        for name in ("agent", "every")
    }
    assert nodes["every"] - nodes["agent"] == {"cp-a"}


def test_a_stateful_set_has_numbered_pods_with_a_bound_claim_each() -> None:
    row = shop("StatefulSet", "store")
    found = world({**row, "replicas": 2, "storage": "5Gi"})
    assert [p["metadata"]["name"] for p in found.select("Pod", {"app": "store"})] == [
        "store-0",
        "store-1",
    ]
    for number in range(2):
        claim = found.get("PersistentVolumeClaim", "shop", f"data-store-{number}")
        assert claim is not None
        assert claim["status"]["phase"] == "Bound"
        assert found.get("PersistentVolume", "", claim["spec"]["volumeName"]) is not None


def test_a_schedule_leaves_finished_runs_and_a_run_that_hangs_goes_on() -> None:
    row = shop("CronJob", "sweep")
    row |= {"schedule": "*/10 * * * *", "every": "10m", "seconds": 30}
    found = world({**row, "history": 2, "active": 1})
    cron = found.get("CronJob", "shop", "sweep")
    assert cron is not None
    runs = [j for j in found.of("Job") if (controller_of(j) or {}).get("name") == "sweep"]
    ended = [j["status"]["completionTime"] for j in runs if "completionTime" in j["status"]]
    assert (len(runs), len(ended), len(cron["status"]["active"])) == (3, 2, 1)
    assert cron["status"]["lastSuccessfulTime"] == max(ended)


def test_what_began_before_the_drill_has_happened_when_it_begins() -> None:
    found = world({**WEB, "age": "1s"})
    pods = found.select("Pod", {"app": "front"})
    assert [p["status"]["phase"] for p in pods] == ["Running"] * 3
    for pod in pods:
        ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
        assert parse_time(ready["lastTransitionTime"]) <= NOW


def test_pods_are_not_made_where_the_api_server_refuses_them() -> None:
    found = world({**WEB, "noPods": True})
    assert found.select("Pod", {"app": "front"}) == []
    assert [rs["spec"]["replicas"] for rs in sets_of(found, "front")] == [3]


def test_a_workload_at_the_end_moves_no_pod_of_the_others() -> None:
    def places(found: World) -> dict[str, str]:
        return {
            p["metadata"]["name"]: dig(p, "spec", "nodeName")
            for p in found.of("Pod")
            if p["metadata"]["labels"].get("app.kubernetes.io/name") != "front"
        }

    assert places(world()) == places(world(WEB))


def test_a_deployment_is_unavailable_since_its_pods_wait_or_went() -> None:
    found = world({**WEB, "age": "20d"})
    (front,) = (d for d in found.of("Deployment") if d["metadata"]["name"] == "front")
    waiting = rfc3339(NOW - timedelta(minutes=2))
    pods = [pod for replicas in sets_of(found, "front") for pod in pods_of(found, replicas)]
    for pod in pods:
        pod["metadata"]["creationTimestamp"] = waiting
        pod["status"] = {"phase": "Pending", "conditions": []}

    def available() -> tuple[str, str]:
        status = next(new["status"] for obj, new in status_updates(found.of, NOW) if obj is front)
        shown = condition({"status": status}, "Available") or {}
        return shown["status"], shown["lastTransitionTime"]

    assert available() == ("False", waiting)
    for pod in pods:
        found.remove(pod)
    assert available() == ("False", rfc3339(NOW)), "also while none is there yet"


def test_a_quota_follows_the_pods_from_what_the_scenario_says_is_used() -> None:
    meta = {"name": "team", "namespace": "shop", "uid": "q"}
    quota = {"metadata": meta, "status": {"hard": {"pods": "10"}, "used": {"pods": "10"}}}
    pods = [{"metadata": {"namespace": "shop"}, "status": {"phase": "Running"}} for _ in range(8)]
    kinds: dict[str, list[Any]] = {"ResourceQuota": [quota], "Pod": pods}
    quotas = Quotas()
    assert not list(quotas.status_updates(kinds.__getitem__))
    del pods[:3]
    [(_, fields)] = quotas.status_updates(kinds.__getitem__)
    assert fields["status"]["used"] == {"pods": "7"}
    pods += [{"metadata": {"namespace": "other"}, "status": {"phase": "Running"}}]
    assert len(list(quotas.status_updates(kinds.__getitem__))) == 1
