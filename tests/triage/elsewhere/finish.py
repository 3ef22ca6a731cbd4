"""What follows from the pods: counts of controllers, EndpointSlices, Leases, Namespaces. Then: as a
Store, or under other names."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME, KINDS
from cluster.live.store import Store
from tests.triage.elsewhere.objects import Json, condition, managed, text
from tests.triage.elsewhere.world import World

SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")


def is_ready(pod: Json) -> bool:
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])
    )


def finish(w: World) -> list[Json]:
    """Complete the world; its objects, each written once."""
    pods: dict[str, list[Json]] = {}
    for pod in (o for o in w.objects if o["kind"] == "Pod"):
        for owner in pod["metadata"].get("ownerReferences", []):
            pods.setdefault(owner["uid"], []).append(pod)
    sets: dict[str, list[Json]] = {}
    for one in (o for o in w.objects if o["kind"] == "ReplicaSet"):
        _count(one, pods.get(one["metadata"]["uid"], []))
        for owner in one["metadata"].get("ownerReferences", []):
            sets.setdefault(owner["uid"], []).append(one)
    for one in w.objects:
        if one["kind"] == "Deployment" and not one["status"]:
            _deployment(w, one, sets.get(one["metadata"]["uid"], []), pods)
        elif one["kind"] == "StatefulSet":
            _count(one, pods.get(one["metadata"]["uid"], []))
        elif one["kind"] == "DaemonSet":
            _daemon_set(
                one,
                [
                    p
                    for p in pods.get(one["metadata"]["uid"], [])
                    if p["status"].get("phase") in ("Running", "Pending")
                ],
            )
    serving: dict[str, list[Json]] = {}
    for pod in (
        o
        for o in w.objects
        if o["kind"] == "Pod" and o["status"].get("podIP") and o["status"]["phase"] == "Running"
    ):
        serving.setdefault(pod["metadata"]["namespace"], []).append(pod)
    for service, selector in w.services:
        _slice(w, service, selector, serving.get(service["metadata"]["namespace"], []))
    for node in w.nodes:
        _lease(w, node)
    known = {o["metadata"]["name"] for o in w.objects if o["kind"] == "Namespace"}
    for namespace in sorted({o["metadata"].get("namespace", "") for o in w.objects} | set(SYSTEM)):
        if namespace and namespace not in known:
            w.add(
                "Namespace",
                "",
                namespace,
                w.ago(days=410),
                labels={"kubernetes.io/metadata.name": namespace},
                by="kubectl-create",
                spec={"finalizers": ["kubernetes"]},
                status={"phase": "Active"},
            )
            w.add(
                "ConfigMap",
                namespace,
                "kube-root-ca.crt",
                w.ago(days=410),
                by="kube-controller-manager",
                data={"ca.crt": ""},
            )
    return w.objects


def _count(one: Json, pods: list[Json]) -> None:
    live = [
        p
        for p in pods
        if p["status"].get("phase") in ("Running", "Pending")
        and "deletionTimestamp" not in p["metadata"]
    ]
    ready = sum(map(is_ready, live))
    revision = (
        {}
        if one["kind"] == "ReplicaSet"
        else {"currentRevision": "r1", "updateRevision": "r1", "currentReplicas": len(live)}
    )
    one["status"] = {
        **revision,
        **one["status"],
        "replicas": len(live),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "observedGeneration": 1,
    }
    if one["kind"] == "StatefulSet":
        one["status"].setdefault("updatedReplicas", len(live))
    else:
        one["status"]["fullyLabeledReplicas"] = len(live)


def _deployment(w: World, one: Json, sets: list[Json], pods: dict[str, list[Json]]) -> None:
    wanted = one["spec"]["replicas"]
    ready = sum(s["status"]["readyReplicas"] for s in sets)
    newest = max(sets, key=lambda s: s["metadata"]["creationTimestamp"], default=None)
    born = datetime.fromisoformat(one["metadata"]["creationTimestamp"])
    changed = max(
        (
            c["lastTransitionTime"]
            for s in sets
            for p in pods.get(s["metadata"]["uid"], [])
            for c in p["status"].get("conditions", [])
            if c["type"] == "Ready"
        ),
        default=text(born),
    )
    short = ready < wanted - int(wanted * 0.25)
    at = datetime.fromisoformat(str(changed)) if short else born
    one["status"] = {
        "observedGeneration": 1,
        "replicas": sum(s["status"]["replicas"] for s in sets),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "updatedReplicas": newest["status"]["replicas"] if newest else 0,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [
            condition(
                "Available",
                "False" if short else "True",
                "MinimumReplicasUnavailable" if short else "MinimumReplicasAvailable",
                "Deployment does not have minimum availability."
                if short
                else "Deployment has minimum availability.",
                at,
            ),
            condition(
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                "ReplicaSet has successfully progressed.",
                born,
            ),
        ],
    }
    one["metadata"]["managedFields"].append(
        managed("kube-controller-manager", at, {"f:status": {}}, sub="status", version="apps/v1")
    )


def _daemon_set(one: Json, pods: list[Json]) -> None:
    ready = sum(map(is_ready, pods))
    one["status"] = {
        "currentNumberScheduled": len(pods),
        "desiredNumberScheduled": len(pods),
        "numberReady": ready,
        "numberAvailable": ready,
        "numberMisscheduled": 0,
        "updatedNumberScheduled": len(pods),
        "observedGeneration": 1,
        "numberUnavailable": len(pods) - ready,
        **one["status"],
    }


def _slice(w: World, service: Json, selector: Json, pods: list[Json]) -> None:
    meta = service["metadata"]
    found = [p for p in pods if selector.items() <= p["metadata"].get("labels", {}).items()]
    w.add(
        "EndpointSlice",
        meta["namespace"],
        f"{meta['name']}-z4x7k",
        datetime.fromisoformat(meta["creationTimestamp"]),
        owner=service,
        labels={
            "kubernetes.io/service-name": meta["name"],
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        },
        addressType="IPv4",
        ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
        endpoints=[
            {
                "addresses": [p["status"]["podIP"]],
                "nodeName": p["spec"]["nodeName"],
                "conditions": {
                    "ready": is_ready(p) and "deletionTimestamp" not in p["metadata"],
                    "serving": is_ready(p),
                    "terminating": "deletionTimestamp" in p["metadata"],
                },
                "targetRef": {
                    "kind": "Pod",
                    "namespace": meta["namespace"],
                    "name": p["metadata"]["name"],
                    "uid": p["metadata"]["uid"],
                },
            }
            for p in found
        ],
    )


def _lease(w: World, node: Json) -> None:
    name = node["metadata"]["name"]
    renewed = w.silent.get(name) or w.ago(seconds=w.rng.uniform(0, 9))
    w.add(
        "Lease",
        "kube-node-lease",
        name,
        datetime.fromisoformat(node["metadata"]["creationTimestamp"]),
        owner=node,
        by="kubelet",
        spec={
            "holderIdentity": name,
            "leaseDurationSeconds": 40,
            "renewTime": text(renewed, micro=True),
        },
    )


def store(objects: Iterable[Json]) -> Store:
    """Through the product's own decoder, as a list from the server."""
    found = Store()
    by_kind: dict[str, list[Json]] = {}
    for number, one in enumerate(objects):
        row = copy.copy(one)
        row["metadata"] = one["metadata"] | {"resourceVersion": str(1000 + number)}
        by_kind.setdefault(one["kind"], []).append(row)
    for kind in KINDS:
        decoder = KindDecoder(BY_NAME[kind.name])
        page = decoder.page(
            msgspec.json.encode({"metadata": {}, "items": by_kind.get(kind.name, [])})
        )
        assert not page.faulty, kind.name
        found.replace(kind.name, decoder.finish(page.objects))
    return found


KEPT = {*SYSTEM, "kubernetes", "kube-root-ca.crt"}
LABELS = {"labels", "matchLabels", "selector", "nodeSelector", "annotations", "managedFields"}
NAMING = {
    "kubernetes.io/service-name",
    "kubernetes.io/hostname",
    "kubernetes.io/metadata.name",
    "job-name",
    "batch.kubernetes.io/job-name",
    "statefulset.kubernetes.io/pod-name",
}


WORD = re.compile(r"[\w.-]+")


def renamed(objects: list[Json], seed: int) -> tuple[list[Json], dict[str, str]]:
    """Every object under a random name, also where others point to it or events speak of it; labels
    and images stay."""
    rng = random.Random(seed)
    names = sorted(
        {
            o["metadata"]["name"]
            for o in objects
            if o["kind"] not in ("Event", "CustomResourceDefinition")
        }
        - KEPT
    )
    other = {
        name: f"{rng.choice('bcdfgh')}{rng.randrange(16**7):07x}"
        for name in names
        if not name.startswith("system:")
    }

    def in_text(found: re.Match[str]) -> str:
        word = found[0]
        return (
            other.get(word)
            or other.get(word.rstrip("."), word.rstrip(".")) + word[len(word.rstrip(".")) :]
        )

    def swap(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            if key in (
                "image",
                "imageID",
                "reason",
                "type",
                "kind",
                "manager",
                "component",
                "reportingComponent",
                "uid",
            ):
                return value
            return other.get(value) or (
                WORD.sub(in_text, value) if key in ("message", "name") else value
            )
        if isinstance(value, list):
            return [swap(item, key) for item in value]
        if isinstance(value, dict):
            if key in LABELS:
                return {k: other.get(v, v) if k in NAMING else v for k, v in value.items()}
            return {k: swap(v, k) for k, v in value.items()}
        return value

    return [swap(one, "") for one in objects], other
