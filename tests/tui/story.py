"""Objects of the network-policy story: node-2 joined with another image of its CNI."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster.kube import objects as k
from cluster.kube.objects import Ref
from cluster.live.store import Store

NOW = datetime(2026, 11, 21, 3, 10, 12, tzinfo=UTC)
JOINED = NOW - timedelta(minutes=12)
FIRST = NOW - timedelta(minutes=8)
OLD_DIGEST = "sha256:4f1e8b0c1a6d2f99"
NEW_DIGEST = "sha256:9fb2c7d01e55aa10"
NODES = tuple(f"node-{i}" for i in range(1, 10))


def at(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def node(name: str, age_days: float = 120, ready: str = "True", cordoned: bool = False) -> k.Node:
    born = NOW - timedelta(days=age_days)
    return k.Node(
        metadata=k.ObjectMeta(
            name=name,
            uid=f"uid-{name}",
            resource_version="1",
            creation_timestamp=born,
            labels={"topology.kubernetes.io/zone": "zone-b"},
        ),
        spec=k.NodeSpec(unschedulable=cordoned),
        status=k.NodeStatus(
            capacity={"cpu": "8", "memory": "32Gi", "pods": "110"},
            allocatable={"cpu": "7800m", "memory": "30Gi", "pods": "110"},
            conditions=(
                k.Condition(
                    type="Ready",
                    status=ready,
                    reason="KubeletReady",
                    message="kubelet is posting ready status",
                    last_transition_time=born,
                ),
            ),
            addresses=(
                k.NodeAddress(
                    type="InternalIP", address=f"10.0.0.{10 + int(name.rsplit('-', 1)[1])}"
                ),
            ),
            node_info=k.NodeSystemInfo(
                kubelet_version="v1.32.4",
                container_runtime_version="containerd://2.0.1",
                kernel_version="6.6.12",
                os_image="Debian 13",
            ),
        ),
    )


def pod(
    namespace: str,
    name: str,
    on: str,
    owner: str = "",
    ready: bool = True,
    restarts: int = 0,
    minutes: float = 9000,
    image: str = "registry.local/app:1.4.2",
    digest: str = OLD_DIGEST,
    waiting: str = "",
    owner_kind: str = "ReplicaSet",
) -> k.Pod:
    state = (
        k.ContainerState(waiting=k.ContainerStateWaiting(reason=waiting))
        if waiting
        else k.ContainerState(running=k.ContainerStateRunning(started_at=at(minutes)))
    )
    last = (
        k.ContainerState(
            terminated=k.ContainerStateTerminated(exit_code=1, reason="Error", finished_at=at(1))
        )
        if restarts
        else k.ContainerState()
    )
    return k.Pod(
        metadata=k.LeanMeta(
            name=name,
            namespace=namespace,
            uid=f"uid-{namespace}-{name}",
            resource_version="1",
            creation_timestamp=at(minutes),
            labels={"app": owner or name},
            owner_references=(
                k.OwnerReference(kind=owner_kind, name=owner, uid=f"uid-{owner}", controller=True),
            )
            if owner
            else (),
        ),
        spec=k.PodSpec(
            node_name=on,
            containers=(k.Container(name="app", image=image),),
            service_account_name="default",
        ),
        status=k.PodStatus(
            phase="Running",
            pod_ip=f"10.244.{int(on.rsplit('-', 1)[1]) if on else 0}.{len(name) + len(namespace)}",
            start_time=at(minutes),
            conditions=(
                k.Condition(
                    type="Ready",
                    status="True" if ready else "False",
                    last_transition_time=at(min(minutes, 8)),
                ),
            ),
            container_statuses=(
                k.ContainerStatus(
                    name="app",
                    ready=ready,
                    restart_count=restarts,
                    image=image,
                    image_id=f"registry.local/app@{digest}",
                    state=state,
                    last_state=last,
                ),
            ),
        ),
    )


def event(
    namespace: str,
    name: str,
    about: Ref,
    reason: str,
    message: str,
    minutes: float,
    count: int = 1,
    kind: str = "Warning",
) -> k.Event:
    return k.Event(
        metadata=k.LeanMeta(
            name=name,
            namespace=namespace,
            uid=f"uid-{name}",
            resource_version="1",
            creation_timestamp=at(minutes),
        ),
        involved_object=k.ObjectReference(
            kind=about.kind,
            namespace=about.namespace,
            name=about.name,
            uid=f"uid-{about.namespace}-{about.name}",
        ),
        type=kind,
        reason=reason,
        message=message,
        count=count,
        first_timestamp=at(minutes + 3),
        last_timestamp=at(minutes),
        source=k.EventSource(component="kubelet", host="node-2"),
    )


def fill(store: Store) -> None:
    """The cluster of the story: 9 nodes, the marketplace, the ingress, the CNI's DaemonSet, and a
    healthy rest."""
    store.replace(
        "Node",
        [
            node(name, 0.0083 if name == "node-2" else 120, cordoned=name == "node-9")
            for name in NODES
        ],
    )
    pods = [
        pod(
            "kube-system",
            f"kube-router-{n[-1]}x7",
            n,
            "kube-router",
            minutes=11 if n == "node-2" else 9000,
            image="cloudnativelabs/kube-router:latest",
            digest=NEW_DIGEST if n == "node-2" else OLD_DIGEST,
            owner_kind="DaemonSet",
        )
        for n in NODES
    ]
    pods += [
        pod(
            "marketplace",
            f"catalog-7c9d5b6f4-{i}abcd",
            "node-2",
            "catalog-7c9d5b6f4",
            ready=False,
            restarts=3,
            minutes=10,
            waiting="CrashLoopBackOff" if i < 2 else "",
        )
        for i in range(7)
    ]
    pods += [
        pod("marketplace", f"orders-5f6d8c7b9-{i}efgh", NODES[2 + i % 6], "orders-5f6d8c7b9")
        for i in range(41)
    ]
    pods += [pod("nginx", f"nginx-ingress-{i}", NODES[2 + i], "nginx-ingress") for i in range(3)]
    pods += [pod("batch", f"report-{i}", "", "report", ready=False, minutes=4) for i in range(3)]
    store.replace("Pod", pods)
    store.replace(
        "Event",
        [
            event(
                "marketplace",
                f"catalog-ev-{i}",
                Ref("Pod", "marketplace", f"catalog-7c9d5b6f4-{i}abcd"),
                "Unhealthy",
                "Readiness probe failed: dial tcp 10.244.2.31:8080: connect: connection refused",
                0.2 + i,
                24 + i,
            )
            for i in range(7)
        ]
        + [
            event(
                "default",
                "node-2-ev",
                Ref("Node", "", "node-2"),
                "RegisteredNode",
                "Node node-2 event: Registered Node node-2 in Controller",
                12,
                kind="Normal",
            ),
            event(
                "kube-system",
                "router-pull",
                Ref("Pod", "kube-system", "kube-router-2x7"),
                "Pulled",
                'Successfully pulled image "cloudnativelabs/kube-router:latest" in 4.1s',
                11,
                kind="Normal",
            ),
        ],
    )
    store.replace(
        "DaemonSet",
        [
            k.DaemonSet(
                metadata=k.ObjectMeta(
                    name="kube-router",
                    namespace="kube-system",
                    uid="uid-kube-router",
                    creation_timestamp=at(90000),
                ),
                status=k.DaemonSetStatus(
                    desired_number_scheduled=9,
                    number_ready=9,
                    updated_number_scheduled=9,
                ),
            )
        ],
    )
    store.replace(
        "ReplicaSet",
        [
            k.ReplicaSet(
                metadata=k.LeanMeta(
                    name=n,
                    namespace="marketplace",
                    uid=f"uid-{n}",
                    creation_timestamp=at(9000),
                    owner_references=(
                        k.OwnerReference(
                            kind="Deployment",
                            name=n.rsplit("-", 1)[0],
                            uid=f"uid-{n.rsplit('-', 1)[0]}",
                            controller=True,
                        ),
                    ),
                ),
                spec=k.ReplicaSetSpec(replicas=c),
                status=k.WorkloadStatus(replicas=c, ready_replicas=r),
            )
            for n, c, r in (("catalog-7c9d5b6f4", 7, 0), ("orders-5f6d8c7b9", 41, 41))
        ],
    )
    store.replace(
        "Deployment",
        [
            k.Deployment(
                metadata=k.ObjectMeta(
                    name=n, namespace="marketplace", uid=f"uid-{n}", creation_timestamp=at(9000)
                ),
                spec=k.DeploymentSpec(replicas=c),
                status=k.WorkloadStatus(
                    replicas=c, ready_replicas=r, updated_replicas=c, available_replicas=r
                ),
            )
            for n, c, r in (("catalog", 7, 0), ("orders", 41, 41))
        ],
    )
    store.replace(
        "Service",
        [
            k.Service(
                metadata=k.ObjectMeta(
                    name="catalog",
                    namespace="marketplace",
                    uid="uid-svc",
                    creation_timestamp=at(9000),
                ),
                spec=k.ServiceSpec(
                    cluster_ip="10.96.12.7",
                    selector={"app": "catalog"},
                    ports=(k.ServicePort(port=80, target_port=8080),),
                ),
            )
        ],
    )
    store.replace(
        "NetworkPolicy",
        [
            k.NetworkPolicy(
                metadata=k.ObjectMeta(
                    name="allow-ingress",
                    namespace="marketplace",
                    uid="uid-np",
                    creation_timestamp=at(50000),
                ),
                spec=k.NetworkPolicySpec(
                    policy_types=("Ingress",), ingress=(k.NetworkPolicyIngressRule(),)
                ),
            )
        ],
    )
    store.replace(
        "Secret",
        [
            k.PartialObject(
                metadata=k.ObjectMeta(
                    name="catalog-db",
                    namespace="marketplace",
                    uid="uid-secret",
                    creation_timestamp=at(50000),
                    managed_fields=(
                        k.ManagedFields(
                            manager="vault-sync",
                            operation="Update",
                            time=at(300),
                            fields_v1={"f:data": {".": {}, "f:username": {}, "f:password": {}}},
                        ),
                    ),
                )
            )
        ],
    )


CATALOG = tuple(Ref("Pod", "marketplace", f"catalog-7c9d5b6f4-{i}abcd") for i in range(7))
