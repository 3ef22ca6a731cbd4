"""Pods as the API server, the scheduler and a kubelet 1.34 leave them when all is well."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

from drills.api.defaults import NO_EXECUTE_TOLERATIONS, container_defaults, pod_spec, qos_class
from drills.api.objects import Obj, dig, digest, parse_time, rfc3339, stable_fraction, stable_suffix
from drills.api.world import World, Writer

DAEMON_TOLERATIONS: list[Obj] = [
    {"key": f"node.kubernetes.io/{k}", "operator": "Exists", "effect": e}
    for k, e in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


def image_id(image: str, variant: str = "") -> str:
    """The digest reference that a node reports for an image; `variant` gives another build under
    the same tag."""
    if "@sha256:" in image:
        return image
    repository = image.rsplit(":", 1)[0] if ":" in image.rsplit("/", 1)[-1] else image
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    return f"{repository}@sha256:{digest('image', image, variant, size=64)}"


def next_address(world: World, node: str) -> str:
    """The next free pod address of a node's range (10.244.N.2 …). Raises KeyError for an unknown
    node."""
    obj = world.objects[("Node", "", node)]
    third = obj["spec"]["podCIDR"].split(".")[2]
    number = world.next_ip.get(node, 2)
    world.next_ip[node] = number + 1
    return f"10.244.{third}.{number}"


def node_address(world: World, node: str) -> str:
    addresses = dig(world.get("Node", "", node), "status", "addresses", default=[])
    return next((str(a["address"]) for a in addresses if a["type"] == "InternalIP"), "10.99.1.1")


def make_pod(
    world: World,
    *,
    namespace: str,
    name: str,
    template: Obj,
    created: datetime,
    node: str,
    owner: Obj | None = None,
    generate_name: str = "",
    daemon: bool = False,
    static: bool = False,
    started: datetime | None = None,
) -> Obj:
    """A Running, Ready pod on `node`. `template` is a pod template (metadata, spec). Adds it to the
    world."""
    born = parse_time(world.objects[("Node", "", node)]["metadata"]["creationTimestamp"])
    if created < born + timedelta(seconds=40) and not static:  # rescheduled when the node came
        created = born + timedelta(
            seconds=45 if daemon else 70 + int(100 * stable_fraction("late", namespace, name))
        )
        started = None
    spec = copy.deepcopy(template["spec"])
    pod_spec(spec)
    host = bool(spec.get("hostNetwork"))
    account = spec.setdefault("serviceAccountName", "default")
    spec.update(
        serviceAccount=account,
        nodeName=node,
        priority=spec.get("priority", 0),
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )
    if not static:
        _mount_token(spec, namespace, name)
        tolerations = spec.setdefault("tolerations", [])
        tolerations.extend(copy.deepcopy(DAEMON_TOLERATIONS if daemon else NO_EXECUTE_TOLERATIONS))
    else:
        spec["tolerations"] = [{"operator": "Exists", "effect": "NoExecute"}]
    if daemon:
        spec["affinity"] = {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchFields": [
                                {"key": "metadata.name", "operator": "In", "values": [node]}
                            ]
                        }
                    ]
                }
            }
        }
    meta: Obj = {
        "name": name,
        "namespace": namespace,
        "labels": dict(template.get("metadata", {}).get("labels", {})),
        "creationTimestamp": rfc3339(created),
        "generation": 1,
    }
    if generate_name:
        meta["generateName"] = generate_name
    if annotations := template.get("metadata", {}).get("annotations"):
        meta["annotations"] = dict(annotations)
    if static:
        meta.setdefault("annotations", {}).update(
            {
                "kubernetes.io/config.hash": digest("static", name),
                "kubernetes.io/config.mirror": digest("static", name),
                "kubernetes.io/config.seen": rfc3339(created),
                "kubernetes.io/config.source": "file",
            }
        )
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                **({} if static else {"blockOwnerDeletion": True}),
            }
        ]
    pod: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    ip = node_address(world, node) if host else next_address(world, node)
    begun = started or created + timedelta(
        seconds=3 + 9 * stable_fraction("start", namespace, name)
    )
    pod["status"] = running_status(world, pod, ip, min(begun, world.now))
    maker = "kubelet" if static else "kube-controller-manager"
    world.add(
        pod,
        Writer(maker, created, ("metadata", "spec")),
        Writer(
            "kubelet",
            parse_time(pod["status"]["conditions"][2]["lastTransitionTime"]),
            ("status",),
            "status",
        ),
    )
    return pod


def _mount_token(spec: Obj, namespace: str, name: str) -> None:
    volume = f"kube-api-access-{stable_suffix('token', namespace, name)}"
    spec.setdefault("volumes", []).append(
        {
            "name": volume,
            "projected": {
                "defaultMode": 420,
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {
                        "configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                    {
                        "downwardAPI": {
                            "items": [
                                {
                                    "path": "namespace",
                                    "fieldRef": {
                                        "apiVersion": "v1",
                                        "fieldPath": "metadata.namespace",
                                    },
                                }
                            ]
                        }
                    },
                ],
            },
        }
    )
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        container.setdefault("volumeMounts", []).append(
            {
                "name": volume,
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }
        )


def conditions_of(scheduled: str, initialised: str, sandbox: str, ready: str) -> list[Obj]:
    """The five conditions of a ready pod at their times (RFC 3339)."""
    return [
        {
            "type": "PodReadyToStartContainers",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": sandbox,
            "observedGeneration": 1,
        },
        {
            "type": "Initialized",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": initialised,
            "observedGeneration": 1,
        },
        {
            "type": "Ready",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": ready,
            "observedGeneration": 1,
        },
        {
            "type": "ContainersReady",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": ready,
            "observedGeneration": 1,
        },
        {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": scheduled,
            "observedGeneration": 1,
        },
    ]


def running_status(world: World, pod: Obj, ip: str, started: datetime) -> Obj:
    created = pod["metadata"]["creationTimestamp"]
    node = pod["spec"]["nodeName"]
    begun, ready = rfc3339(started), rfc3339(min(started + timedelta(seconds=6), world.now))
    host = node_address(world, node)
    status: Obj = {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": conditions_of(created, created, begun, ready),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": created,
        "containerStatuses": [running_container(pod, c, begun) for c in pod["spec"]["containers"]],
        "qosClass": qos_class(pod["spec"]),
    }
    if pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [
            _finished_init(pod, c, created, begun) for c in pod["spec"]["initContainers"]
        ]
    return status


def container_id(pod: Obj, name: str, start: int) -> str:
    return f"containerd://{digest('container', pod['metadata']['namespace'], pod['metadata']['name'], name, start, size=64)}"


def running_container(pod: Obj, container: Obj, begun: str, restarts: int = 0) -> Obj:
    out: Obj = {
        "name": container["name"],
        "state": {"running": {"startedAt": begun}},
        "lastState": {},
        "ready": True,
        "restartCount": restarts,
        "image": container["image"],
        "imageID": image_id(container["image"]),
        "containerID": container_id(pod, container["name"], restarts),
        "started": True,
    }
    resources = container.get("resources") or {}
    if resources.get("requests"):
        out["allocatedResources"] = dict(resources["requests"])
    if resources:
        out["resources"] = copy.deepcopy(resources)
    return out


def _finished_init(pod: Obj, container: Obj, created: str, begun: str) -> Obj:
    container_defaults(container)
    out = running_container(pod, container, created)
    out.update(
        started=False,
        state={
            "terminated": {
                "exitCode": 0,
                "reason": "Completed",
                "startedAt": created,
                "finishedAt": begun,
                "containerID": out["containerID"],
            }
        },
    )
    return out
