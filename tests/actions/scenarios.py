"""One small cluster for each action, in which it can be done; the table of cases runs on all of
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.actions.fake import FakeApi
from tests.probes.cells import node

Json = dict[str, Any]
OLD, NEW = (f"registry.test/web@sha256:{each * 64}" for each in "ab")


def meta(name: str, namespace: str = "shop", **more: Any) -> Json:
    return {"name": name, "namespace": namespace, "uid": f"uid-{name}", **more}


def labelled(name: str, namespace: str = "shop", **more: Any) -> Json:
    return meta(name, namespace, labels={"app": "web"}, **more)


def owner(kind: str, name: str) -> list[Json]:
    return [{"kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def template(image: str = OLD) -> Json:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [
                {"name": "side", "image": OLD},
                {
                    "name": "web",
                    "image": image,
                    "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                },
            ]
        },
    }


def deployment(**spec: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labelled("web", annotations={"deployment.kubernetes.io/revision": "2"}),
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(NEW),
            **spec,
        },
        "status": {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3},
    }


def replica_set(name: str, revision: int, image: str) -> Json:
    return {
        "kind": "ReplicaSet",
        "metadata": labelled(
            name,
            annotations={"deployment.kubernetes.io/revision": str(revision)},
            ownerReferences=owner("Deployment", "web"),
        ),
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
        },
    }


def pod(name: str, node_name: str = "node-2", kind: str = "ReplicaSet", **more: Any) -> Json:
    return {
        "kind": "Pod",
        "metadata": labelled(name, ownerReferences=owner(kind, "web-2"), **more),
        "spec": {"nodeName": node_name, "containers": [{"name": "web", "image": NEW}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def job(name: str, *, finished: bool, created: str) -> Json:
    done = [{"type": "Complete", "status": "True"}] if finished else []
    return {
        "kind": "Job",
        "metadata": labelled(name, creationTimestamp=created),
        "spec": {},
        "status": {"active": 0 if finished else 1, "conditions": done},
    }


def cronjob(*, suspend: bool) -> Json:
    return {
        "kind": "CronJob",
        "metadata": meta("report"),
        "spec": {"schedule": "* * * * *", "suspend": suspend, "jobTemplate": {"spec": {}}},
    }


def nodes(**of_two: Any) -> list[Json]:
    return [node("node-1"), node("node-2", **of_two), node("node-3")]


WEB = [deployment(), replica_set("web-1", 1, OLD), replica_set("web-2", 2, NEW)]
PODS = [*WEB, pod("web-2-a"), pod("web-2-b"), pod("web-2-c", "node-1")]
CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": meta(
        "data",
        finalizers=["kubernetes.io/pvc-protection"],
        deletionTimestamp="2026-11-21T02:00:00Z",
    ),
    "spec": {"volumeName": "pv-1"},
    "status": {"phase": "Bound"},
}
STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "fast", "uid": "uid-fast"},
    "provisioner": "csi.test",
    "allowVolumeExpansion": True,
}


def claim(phase: str = "Bound", **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": labelled("data-db-0"),
        "spec": {
            "storageClassName": "fast",
            "volumeName": "pv-2",
            "resources": {"requests": {"storage": "10Gi"}},
            **spec,
        },
        "status": {"phase": phase, "capacity": {"storage": "10Gi"}},
    }


ATTACHMENT = {
    "kind": "VolumeAttachment",
    "metadata": {"name": "csi-1", "uid": "uid-csi-1"},
    "spec": {
        "attacher": "csi.test",
        "nodeName": "node-9",
        "source": {"persistentVolumeName": "pv-1"},
    },
    "status": {"attached": True},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": meta("deny-all"),
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}
SECRET = {"kind": "Secret", "metadata": meta("login"), "data": {"user": "dXNlcg=="}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`done`: whether the change is there. `undoable`: the record can undo it."""

    objects: list[Json]
    arguments: Mapping[str, str]
    done: Callable[[FakeApi], bool]
    undoable: bool = True
    effect: Callable[[FakeApi], None] = field(default=lambda _: None)
    """What controllers do once the change is there."""


def at(path: str, *tokens: Any) -> Callable[[FakeApi], Any]:
    def read(api: FakeApi) -> Any:
        here: Any = api.paths.get(path, {})
        for token in tokens:
            here = here[token] if isinstance(here, list) else (here or {}).get(token)
        return here

    return read


def gone(*paths: str) -> Callable[[FakeApi], bool]:
    return lambda api: not any(path in api.paths for path in paths)


WEB_PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
NODE = "/api/v1/nodes/node-2"
NS = "/api/v1/namespaces/shop"
CRON = "/apis/batch/v1/namespaces/shop/cronjobs/report"
CONTAINER = ("spec", "template", "spec", "containers", 1)
WORKLOAD = {"workload": "deployment/shop/web"}


def is_true(read: Callable[[FakeApi], Any]) -> Callable[[FakeApi], bool]:
    return lambda api: bool(read(api))


def is_false(read: Callable[[FakeApi], Any]) -> Callable[[FakeApi], bool]:
    return lambda api: not read(api)


def equals(value: Any, read: Callable[[FakeApi], Any]) -> Callable[[FakeApi], bool]:
    return lambda api: bool(read(api) == value)


def set_status(**status: Any) -> Callable[[FakeApi], None]:
    def change(api: FakeApi) -> None:
        found = api.paths[WEB_PATH]
        api.put({**found, "status": {**found["status"], **status}})

    return change


STORED = ("spec", "resources", "requests", "storage")


def grow(api: FakeApi) -> None:
    found = api.paths[f"{NS}/persistentvolumeclaims/data-db-0"]
    api.put({**found, "status": {**found["status"], "capacity": {"storage": "20Gi"}}})


SCENARIOS: dict[str, Scenario] = {
    "cordon": Scenario(nodes(), {"node": "node-2"}, is_true(at(NODE, "spec", "unschedulable"))),
    "uncordon": Scenario(
        nodes(unschedulable=True), {"node": "node-2"}, is_false(at(NODE, "spec", "unschedulable"))
    ),
    "drain": Scenario(
        [*nodes(), *PODS],
        {"node": "node-2"},
        gone(f"{NS}/pods/web-2-a", f"{NS}/pods/web-2-b"),
    ),
    "delete-pod": Scenario(PODS, {"pod": "shop/web-2-a"}, gone(f"{NS}/pods/web-2-a"), False),
    "evict-pod": Scenario(PODS, {"pod": "shop/web-2-a"}, gone(f"{NS}/pods/web-2-a"), False),
    "rollout-restart": Scenario(
        WEB,
        WORKLOAD,
        is_true(at(WEB_PATH, "spec", "template", "metadata", "annotations")),
        False,
    ),
    "rollout-pause": Scenario(WEB, WORKLOAD, is_true(at(WEB_PATH, "spec", "paused"))),
    "rollout-resume": Scenario(
        [deployment(paused=True)], WORKLOAD, is_false(at(WEB_PATH, "spec", "paused"))
    ),
    "rollout-undo": Scenario(WEB, WORKLOAD, equals(OLD, at(WEB_PATH, *CONTAINER, "image"))),
    "scale": Scenario(
        WEB,
        {**WORKLOAD, "replicas": "5"},
        equals(5, at(WEB_PATH, "spec", "replicas")),
        effect=set_status(replicas=5, readyReplicas=5),
    ),
    "suspend-cronjob": Scenario(
        [cronjob(suspend=False)], {"cronjob": "shop/report"}, is_true(at(CRON, "spec", "suspend"))
    ),
    "resume-cronjob": Scenario(
        [cronjob(suspend=True)], {"cronjob": "shop/report"}, is_false(at(CRON, "spec", "suspend"))
    ),
    "delete-jobs": Scenario(
        [
            job("old", finished=True, created="2026-11-20T01:00:00Z"),
            job("older", finished=True, created="2026-11-19T01:00:00Z"),
            job("new", finished=True, created="2026-11-21T01:00:00Z"),
            job("running", finished=False, created="2026-11-20T01:00:00Z"),
        ],
        {"namespace": "shop", "selector": "app=web", "which": "finished", "keep": "1"},
        gone(*(f"/apis/batch/v1/namespaces/shop/jobs/{name}" for name in ("old", "older"))),
        False,
    ),
    "set-image": Scenario(
        WEB,
        {**WORKLOAD, "container": "web", "image": OLD},
        equals(OLD, at(WEB_PATH, *CONTAINER, "image")),
    ),
    "set-resource": Scenario(
        WEB,
        {
            **WORKLOAD,
            "container": "web",
            "resource": "memory",
            "kind": "limit",
            "amount": "256Mi",
        },
        equals("256Mi", at(WEB_PATH, *CONTAINER, "resources", "limits", "memory")),
    ),
    "add-taint": Scenario(
        nodes(),
        {"node": "node-2", "taint": "broken=yes:NoSchedule"},
        is_true(at(NODE, "spec", "taints")),
    ),
    "remove-taint": Scenario(
        nodes(taints=({"key": "broken", "effect": "NoSchedule"},)),
        {"node": "node-2", "taint": "broken:NoSchedule"},
        is_false(at(NODE, "spec", "taints")),
    ),
    "label": Scenario(
        PODS,
        {"object": "pod/shop/web-2-a", "label": "app=quarantine"},
        equals("quarantine", at(f"{NS}/pods/web-2-a", "metadata", "labels", "app")),
    ),
    "expand-claim": Scenario(
        [STORAGE, claim()],
        {"claim": "shop/data-db-0", "size": "20Gi"},
        equals("20Gi", at(f"{NS}/persistentvolumeclaims/data-db-0", *STORED)),
        False,
        effect=grow,
    ),
    "remove-finalizer": Scenario(
        [CLAIM],
        {
            "object": "persistentvolumeclaim/shop/data",
            "finalizer": "kubernetes.io/pvc-protection",
        },
        is_false(at(f"{NS}/persistentvolumeclaims/data", "metadata", "finalizers")),
        False,
    ),
    "delete-volume-attachment": Scenario(
        [*nodes(), ATTACHMENT],
        {"attachment": "csi-1"},
        gone("/apis/storage.k8s.io/v1/volumeattachments/csi-1"),
        False,
    ),
    "delete-network-policy": Scenario(
        [POLICY, *PODS],
        {"policy": "shop/deny-all"},
        gone("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/deny-all"),
    ),
    "restore-secret-keys": Scenario(
        [SECRET],
        {"secret": "shop/login", "file": "FILE", "keys": "password"},
        is_true(at(f"{NS}/secrets/login", "data", "password")),
        False,
    ),
}
