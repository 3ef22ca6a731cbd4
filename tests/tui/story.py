"""Objects and triage of the network-policy story, as the screens see them: node-2 joined with
another image of its CNI."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cluster.kube import objects as k
from cluster.kube.objects import Ref
from cluster.live.store import Store
from runbooks.match import Match, Reason
from runbooks.model import Answer, Query, Runbook, Section, Source, Step, StepKind
from triage.facts.finding import (
    ChangeFact,
    Dependant,
    Evidence,
    Finding,
    Report,
    Severity,
    SharedAttribute,
    SinceSource,
    Symptom,
)

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


def finding(
    ref: Ref, claim: str, rule: str = "pod-not-ready", severity: Severity = Severity.CRITICAL
) -> Finding:
    return Finding(
        id=f"{rule}:{ref.kind}/{ref.namespace}/{ref.name}",
        rule=rule,
        object=ref,
        claim=claim,
        severity=severity,
        severity_rule="no endpoint is ready",
        since=FIRST,
        since_source=SinceSource.CONDITION,
        evidence=(Evidence("event Unhealthy", "connect: connection refused (24 times)", FIRST),),
    )


def report() -> Report:
    refused = Symptom(
        id="refused-marketplace",
        title="connections refused to marketplace",
        severity=Severity.CRITICAL,
        since=FIRST,
        objects=CATALOG,
        findings=tuple(
            finding(ref, "not ready for 8 min: readiness probe refused, 3 restarts")
            for ref in CATALOG
        ),
        shared=(
            SharedAttribute("node", "node-2", (7, 7), (0, 41), 1e-6, ("CNI image sha256:9fb2…",)),
        ),
        changes=(
            ChangeFact(at(12), "created", Ref("Node", "", "node-2"), "node-joined", "kubelet"),
            ChangeFact(
                at(11),
                'created, image tag "latest" pulled as sha256:9fb2… (8 others run sha256:4f1e…)',
                Ref("Pod", "kube-system", "kube-router-2x7"),
                "image-drift",
                "kube-controller-manager",
            ),
        ),
        blast=(
            Dependant(Ref("Service", "marketplace", "catalog"), "0 of 7 endpoints ready"),
            Dependant(Ref("Ingress", "marketplace", "shop"), "host shop.example.org routes to it"),
        ),
    )
    pending = Symptom(
        id="pending-memory",
        title="pods pending: insufficient memory",
        severity=Severity.WARNING,
        since=at(3),
        objects=tuple(Ref("Pod", "batch", f"report-{i}") for i in range(3)),
        findings=(
            finding(
                Ref("Pod", "batch", "report-0"),
                "pending for 3 min: 0/9 nodes are available: 8 Insufficient memory",
                "pod-pending",
                Severity.WARNING,
            ),
        ),
        shared=(SharedAttribute("zone", "zone-b", (3, 3), (4, 60), 0.01),),
    )
    cordoned = Symptom(
        id="cordoned",
        title="1 node cordoned",
        severity=Severity.INFO,
        since=at(2880),
        objects=(Ref("Node", "", "node-9"),),
        findings=(
            finding(
                Ref("Node", "", "node-9"), "cordoned by kubectl", "node-cordoned", Severity.INFO
            ),
        ),
    )
    symptoms = (refused, pending, cordoned)
    return Report(
        NOW, True, (), symptoms, tuple(f for s in symptoms for f in s.findings), refused.changes
    )


def matches() -> dict[str, tuple[Match, ...]]:
    return {
        "refused-marketplace": (
            Match(
                "network-policy-cni-version-skew",
                "Connection refused across namespaces, only to one node",
                0.91,
                True,
                for_=(
                    Reason(
                        "kube-router on node-2 runs another image (sha256:9fb2…) than 8 of 9 "
                        "nodes, since 02:59"
                    ),
                    Reason("every failing pod is on node-2 (7 of 7; 0 of 41 elsewhere)"),
                ),
                missing=(Reason("refused or rejected on the way? not measured", step="matrix"),),
            ),
            Match(
                "cni-not-ready-on-new-node",
                "Pods start before the network plugin is ready",
                0.38,
                False,
                for_=(Reason("node-2 joined 12 min ago"),),
                against=(Reason("the node has been Ready for 11 min"),),
            ),
        ),
        "pending-memory": (
            Match(
                "nodes-notready-system-oom",
                "Pods without limits, nodes NotReady one after another",
                0.64,
                True,
                for_=(Reason("3 pods pending for memory"),),
                missing=(Reason("SystemOOM events: none seen"),),
            ),
        ),
        "cordoned": (),
    }


def runbook() -> Runbook:
    def step(
        id: str,
        kind: StepKind,
        question: str,
        expected: str,
        section: str,
        answers: tuple[Answer, ...],
        **more: object,
    ) -> Step:
        fixed = {
            "id": id,
            "kind": kind,
            "question": question,
            "expected": expected,
            "section": section,
            "line": 1,
            "answers": answers,
        }
        return Step(**fixed, **more)  # type: ignore[arg-type]  # test data

    mitigate = (
        step(
            "cordon",
            StepKind.ACTION,
            "Keep new pods off {node}?",
            "{node} takes no new pods",
            "stop-the-bleeding",
            (
                Answer("done", "no new pods land on {node}", "move"),
                Answer("failed", "nothing was changed", "escalate"),
            ),
            uses="cordon",
            args={"node": "{node}"},
            blast="No new pods on {node}; running pods stay.",
            undo="kubectl uncordon {node}",
            kubectl="kubectl cordon {node}",
        ),
        step(
            "move",
            StepKind.ASK,
            "Have the pods moved off {node}?",
            "Errors stop within a minute",
            "stop-the-bleeding",
            (Answer("yes", "errors stopped", "drift"), Answer("no", "errors go on", "matrix")),
            blast="Deletes the pods on {node}; their controllers start them elsewhere.",
            undo="kubectl uncordon {node}",
            kubectl="kubectl -n {namespace} delete pod --field-selector spec.nodeName={node}",
        ),
    )
    find = (
        step(
            "drift",
            StepKind.CHECK,
            "Does the network agent run the same image on every node?",
            "one digest for all pods of the DaemonSet",
            "find-out",
            (
                Answer(
                    "pass", "the agent is the same everywhere: look elsewhere", "section:verify"
                ),
                Answer("fail", "{node} runs another version, so other rules", "matrix"),
                Answer("unknown", "pods cannot be read", "next"),
            ),
            why="A tag such as latest is resolved on each node when it pulls.",
            kubectl="kubectl -n kube-system get pods -l k8s-app=kube-router -o wide",
            query=Query(
                Source.COMPARE,
                kind="Pod",
                value="self.status.containerStatuses[0].imageID",
                by="node",
            ),
        ),
        step(
            "matrix",
            StepKind.PROBE,
            "Refused by the pod, or rejected on the way?",
            "ok from every namespace and node",
            "find-out",
            (
                Answer("rejected", "{node} enforces policy wrongly", "section:fix-for-good"),
                Answer("refused", "nothing listens: look at the pods", "escalate"),
                Answer("unknown", "could not be measured", "next"),
            ),
            uses="connectivity",
            args={"from": "nginx", "to": "{namespace}"},
            kubectl="kubectl -n nginx exec deploy/nginx -- nc -vz 10.244.2.31 8080",
        ),
    )
    verify = (
        step(
            "wait",
            StepKind.WAIT,
            "Are all catalog pods ready?",
            "7 of 7 ready",
            "verify",
            (
                Answer("reached", "users are served again", "done"),
                Answer("deadline", "still not", "escalate"),
            ),
            deadline=120.0,
            kubectl="kubectl -n {namespace} rollout status deploy/catalog",
        ),
    )
    sections = (
        Section(
            "What it looks like",
            "what-it-looks-like",
            "Calls to **one namespace** are refused, but only when the target pod is on one node."
            "\n\n- the pods are healthy when asked from their own node\n- DNS answers\n",
            1,
        ),
        Section(
            "Do not",
            "do-not",
            "Do not delete the NetworkPolicy: it opens the namespace to everyone, and the next "
            "sync writes it back.",
            1,
        ),
        Section(
            "Stop the bleeding",
            "stop-the-bleeding",
            "Move the load off the node first; look for the cause after.",
            1,
            mitigate,
        ),
        Section("Find out", "find-out", "", 1, find),
        Section("Verify", "verify", "", 1, verify),
        Section(
            "Fix for good",
            "fix-for-good",
            "Pin the image by digest:\n\n```\nimage: cloudnativelabs/kube-router@sha256:4f1e…\n```",
            1,
        ),
        Section(
            "The story",
            "the-story",
            "A restarted node pulled `latest` and enforced other rules than its neighbours.",
            1,
        ),
    )
    return Runbook(
        id="network-policy-cni-version-skew",
        title="Connection refused across namespaces, only to one node",
        path=Path("network-policy-cni-version-skew.md"),
        digest="0" * 64,
        sections=sections,
        story="000: connection refused",
        severity="critical",
        impact="Calls to pods on one node fail; others work, so errors come and go.",
        symptoms=(
            "connection refused",
            "502 from the ingress, but only sometimes",
            "dial tcp: connect: connection refused",
        ),
        last_reviewed="2026-11-01",
    )


def other_runbooks() -> tuple[Runbook, ...]:
    names = {
        "nodes-notready-system-oom": "Pods without limits, nodes NotReady one after another",
        "cni-not-ready-on-new-node": "Pods start before the network plugin is ready",
        "coredns-oom": "CoreDNS over its memory limit",
        "ingress-controller-oom": "A slow backend fills the shared ingress until it is killed",
    }
    return tuple(
        Runbook(
            id=i,
            title=t,
            path=Path(f"{i}.md"),
            digest="1" * 64,
            sections=(Section("What it looks like", "what-it-looks-like", t, 1),),
        )
        for i, t in names.items()
    )
