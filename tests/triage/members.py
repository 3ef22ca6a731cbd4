"""Every member of every family of everyday faults, each as objects of a small cluster.

`python -m tests.triage.members` prints the table: the first line that triage gives for each, and
the first runbook. The words that decide, and the runbook, are asserted in `test_members.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import MATCHER, lease, look, pending, running_init, service

Build = Callable[[Cluster], None]


class Member(msgspec.Struct, frozen=True):
    """`says`: words of the first line, all of them. `guide`: the runbook that comes first."""

    family: str
    name: str
    build: Build
    says: tuple[str, ...]
    guide: str = ""


MEMBERS: list[Member] = []


def member(family: str, name: str, *says: str, guide: str = "") -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        MEMBERS.append(Member(family, name, build, says, guide))
        return build

    return add


def each(
    family: str,
    build: Callable[..., None],
    *rows: tuple[str, tuple[Any, ...], tuple[str, ...], str],
) -> None:
    """Members that differ in what one function is called with: (name, arguments, says, guide)."""
    for name, arguments, says, guide in rows:
        MEMBERS.append(
            Member(family, name, lambda c, a=arguments: build(c, *a), says, guide)  # type: ignore[misc]  # a default binds the row
        )


def lines(one: Member) -> tuple[str, str]:
    """The title of the first symptom and the id of its first runbook, "" for none."""
    cluster = Cluster(3)
    cluster.deployment("calm", "other", replicas=3)
    one.build(cluster)
    report = look(cluster)
    if not report.symptoms:
        return "", ""
    symptom = report.symptoms[0]
    matches = MATCHER.match_symptom(symptom, report)
    return symptom.title, matches[0].id if matches else ""


# -- admission and quota


def refused(cluster: Cluster, message: str, kind: str = "Deployment") -> None:
    work = cluster.deployment("web", "shop", replicas=3, kind=kind)
    work["status"].update(replicas=2, readyReplicas=2, availableReplicas=2)
    gone = work["pods"].pop()
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not gone]
    target = work.get("set", work)
    target["status"].update(replicas=2, readyReplicas=2)
    cluster.event(
        "ReplicaSet" if kind == "Deployment" else kind,
        "shop",
        target["metadata"]["name"],
        "FailedCreate",
        message,
        ago(minutes=1),
        ago(minutes=20),
        count=15,
    )


def quota(cluster: Cluster, resource: str, used: str, hard: str) -> None:
    refused(
        cluster,
        f'Error creating: pods "web-7d4b9c-x" is forbidden: exceeded quota: compute, requested: '
        f"{resource}=1, used: {resource}={used}, limited: {resource}={hard}",
    )
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("compute", "shop"),
            "status": {"hard": {resource: hard}, "used": {resource: used}},
        },
    )


each(
    "admission",
    quota,
    ("quota of pods", ("pods", "10", "10"), ("pods 10 of 10",), "quota-used-up"),
    (
        "quota of CPU requests",
        ("requests.cpu", "4", "4"),
        ("requests.cpu 4 of 4",),
        "quota-used-up",
    ),
    (
        "quota of memory limits",
        ("limits.memory", "8Gi", "8Gi"),
        ("limits.memory",),
        "quota-used-up",
    ),
    ("quota of GPUs", ("requests.nvidia.com/gpu", "2", "2"), ("nvidia.com/gpu",), "quota-used-up"),
)
_POD = 'Error creating: pods "web-x" is forbidden: '
each(
    "admission",
    refused,
    (
        "quota wants a limit",
        (_POD + "failed quota: compute: must specify limits.cpu for: app",),
        ("limits.cpu",),
        "quota-used-up",
    ),
    (
        "limit range",
        (_POD + "maximum memory usage per Container is 1Gi, but limit is 2Gi",),
        ("1Gi", "2Gi"),
        "limit-range-refuses-pods",
    ),
    (
        "pod security",
        (
            _POD + 'violates PodSecurity "restricted:latest": privileged (container "app" must not '
            "set securityContext.privileged=true)",
        ),
        ("PodSecurity", "restricted"),
        "pod-security-refuses-pods",
    ),
    (
        "webhook denies",
        ('Error creating: admission webhook "deny.policy.io" denied the request: no latest tag',),
        ("deny.policy.io", "no latest tag"),
        "admission-webhook-fails",
    ),
    (
        "webhook away",
        (
            "Error creating: Internal error occurred: failed calling webhook "
            '"inject.mesh.io": failed to call webhook: Post "https://mesh.mesh.svc:443/inject": no '
            'endpoints available for service "mesh"',
        ),
        ("inject.mesh.io",),
        "admission-webhook-fails",
    ),
    (
        "service account missing",
        (_POD + 'error looking up service account shop/web: serviceaccount "web" not found',),
        ("web", "does not exist"),
        "service-account-missing",
    ),
    (
        "RBAC",
        (
            'Error creating: pods is forbidden: User "system:serviceaccount:kube-system:'
            'replicaset-controller" cannot create resource "pods" in API group "" in the namespace '
            '"shop"',
        ),
        ("cannot create",),
        "forbidden-by-rbac",
    ),
    (
        "priority class missing",
        (_POD + "no PriorityClass with name urgent was found",),
        ("urgent",),
        "",
    ),
    (
        "Job cannot create",
        (_POD + "exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9", "Job"),
        ("quota",),
        "quota-used-up",
    ),
    (
        "StatefulSet cannot create",
        (
            "create Pod web-2 in StatefulSet web failed error: failed to create PVC data-web-2: "
            'persistentvolumeclaims "data-web-2" is forbidden: exceeded quota: q, requested: '
            "requests.storage=10Gi, used: requests.storage=95Gi, limited: requests.storage=100Gi",
            "StatefulSet",
        ),
        ("requests.storage",),
        "quota-used-up",
    ),
)

# -- scheduling


def unplaced(cluster: Cluster, message: str, **spec: Any) -> None:
    pod = pending(cluster, "web-1", since=ago(minutes=20))
    pod["spec"].update(spec)
    pod["status"]["conditions"][0]["message"] = message
    cluster.pod_event(pod, "FailedScheduling", message, ago(minutes=1), ago(minutes=20), count=9)


def asks(cluster: Cluster, message: str, resource: str, amount: str) -> None:
    container = {
        "name": "main",
        "image": "app:1",
        "resources": {"requests": {resource: amount}},
    }
    unplaced(cluster, message, containers=[container])


each(
    "scheduling",
    asks,
    (
        "memory",
        ("0/3 nodes are available: 3 Insufficient memory.", "memory", "64Gi"),
        ("insufficient memory", "64Gi", "7Gi"),
        "not-enough-capacity",
    ),
    (
        "CPU",
        ("0/3 nodes are available: 3 Insufficient cpu.", "cpu", "16"),
        ("insufficient cpu", "16"),
        "not-enough-capacity",
    ),
    (
        "GPU",
        ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", "nvidia.com/gpu", "1"),
        ("nvidia.com/gpu",),
        "device-not-available",
    ),
    (
        "ephemeral storage",
        (
            "0/3 nodes are available: 3 Insufficient ephemeral-storage.",
            "ephemeral-storage",
            "900Gi",
        ),
        ("ephemeral",),
        "not-enough-capacity",
    ),
)
each(
    "scheduling",
    lambda c, text, spec: unplaced(c, text, **spec),
    (
        "too many pods",
        ("0/3 nodes are available: 3 Too many pods.", {}),
        ("pods",),
        "not-enough-capacity",
    ),
    (
        "node selector",
        (
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            {"nodeSelector": {"disk": "nvme"}},
        ),
        ("disk=nvme",),
        "node-selector-unmet",
    ),
    (
        "node affinity",
        (
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {
                                    "matchExpressions": [
                                        {"key": "zone", "operator": "In", "values": ["z9"]}
                                    ]
                                }
                            ]
                        }
                    }
                }
            },
        ),
        ("zone", "z9"),
        "node-selector-unmet",
    ),
    (
        "taint",
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            {},
        ),
        ("dedicated",),
        "taint-not-tolerated",
    ),
    (
        "uninitialized",
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}.",
            {},
        ),
        ("uninitialized",),
        "taint-not-tolerated",
    ),
    (
        "anti-affinity",
        (
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
            {
                "affinity": {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {
                                "labelSelector": {"matchLabels": {"app": "web"}},
                                "topologyKey": "kubernetes.io/hostname",
                            }
                        ]
                    }
                }
            },
        ),
        ("anti-affinity", "app=web"),
        "anti-affinity-or-spread-unmet",
    ),
    (
        "topology spread",
        (
            "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.",
            {
                "topologySpreadConstraints": [
                    {
                        "topologyKey": "topology.kubernetes.io/zone",
                        "maxSkew": 1,
                        "whenUnsatisfiable": "DoNotSchedule",
                    }
                ]
            },
        ),
        ("topology spread", "topology.kubernetes.io/zone"),
        "anti-affinity-or-spread-unmet",
    ),
    (
        "host port",
        (
            "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
            {
                "containers": [
                    {
                        "name": "main",
                        "image": "a:1",
                        "ports": [{"containerPort": 80, "hostPort": 8080}],
                    }
                ]
            },
        ),
        ("host port", "8080"),
        "host-port-taken",
    ),
    (
        "resource claim",
        ("0/3 nodes are available: 3 cannot allocate all claims.", {}),
        ("resources",),
        "device-not-available",
    ),
    (
        "volume unbound",
        ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.", {}),
        ("claim",),
        "claim-pending",
    ),
    (
        "volume zone",
        ("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", {}),
        ("volume in another zone",),
        "volume-in-another-zone",
    ),
    (
        "claim missing",
        ('0/3 nodes are available: persistentvolumeclaim "data" not found.', {}),
        ("data", "not found"),
        "claim-pending",
    ),
    ("cordoned", ("0/3 nodes are available: 3 node(s) were unschedulable.", {}), ("cordoned",), ""),
    ("no node", ("no nodes available to schedule pods", {}), ("no node",), ""),
    (
        "Karpenter",
        (
            'Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"cpu":"200m"}, no instance type satisfied resources {"cpu":"96"}',
            {},
        ),
        ("node pool",),
        "not-enough-capacity",
    ),
    (
        "Fargate",
        ("Pod not supported on Fargate: fields not supported: HostPath", {}),
        ("HostPath",),
        "",
    ),
)


@member("scheduling", "no scheduler at work", "scheduler", guide="scheduler-not-working")
def _(cluster: Cluster) -> None:
    pending(cluster, "web-1", since=ago(minutes=20), conditions=[{"type": "x", "status": "True"}])


# -- volumes and claims


def unbound(cluster: Cluster, reason: str, message: str, **spec: Any) -> None:
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data", "shop", created=ago(minutes=20)),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                "resources": {"requests": {"storage": "10Gi"}},
                **spec,
            },
            "status": {"phase": "Pending"},
        },
    )
    pod = pending(cluster, "db-0", since=ago(minutes=20))
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    pod["status"]["conditions"][0]["message"] = (
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    )
    if reason:
        cluster.event(
            "PersistentVolumeClaim",
            "shop",
            "data",
            reason,
            message,
            ago(seconds=10),
            ago(minutes=20),
            count=70,
        )


def misfit(cluster: Cluster, offer: dict[str, Any], wanted: dict[str, Any]) -> None:
    unbound(cluster, "", "", **wanted)
    cluster.add(
        "PersistentVolume",
        {
            "metadata": meta("pv-1", labels={"tier": "slow"}),
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                **offer,
            },
            "status": {"phase": "Available"},
        },
    )


each(
    "volumes",
    unbound,
    (
        "class missing",
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'),
        ("StorageClass fast does not exist",),
        "claim-pending",
    ),
    (
        "provisioner's error",
        ("ProvisioningFailed", "rpc error: code = ResourceExhausted desc = VolumeLimitExceeded"),
        ("VolumeLimitExceeded",),
        "provisioning-failed",
    ),
    (
        "provisioner away",
        (
            "ExternalProvisioning",
            "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually",
        ),
        ("ebs.csi.aws.com",),
        "provisioning-failed",
    ),
)
each(
    "volumes",
    misfit,
    ("capacity", ({"capacity": {"storage": "5Gi"}}, {}), ("5Gi of 10Gi",), "claim-pending"),
    ("access mode", ({"accessModes": ["ReadOnlyMany"]}, {}), ("ReadWriteOnce",), "claim-pending"),
    (
        "selector",
        ({}, {"selector": {"matchLabels": {"tier": "fast"}}}),
        ("selector",),
        "claim-pending",
    ),
    ("class of the volume", ({"storageClassName": "slow"}, {}), ("class slow",), "claim-pending"),
    (
        "bound to another",
        ({"claimRef": {"namespace": "shop", "name": "old"}}, {}),
        ("bound to shop/old",),
        "claim-pending",
    ),
)


def unmounted(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "db-0", node="n1", since=ago(minutes=20))
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.pod_event(pod, reason, message, ago(minutes=1), ago(minutes=20), count=9)


each(
    "volumes",
    unmounted,
    (
        "mount: permission",
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32, mount.nfs: access denied by server while mounting nfs:/x',
        ),
        ("access denied",),
        "mount-refused",
    ),
    (
        "mount: missing",
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32, mount.nfs: mounting nfs:/x failed, reason given by server: No such file or directory',
        ),
        ("No such file",),
        "mount-refused",
    ),
    (
        "mount: file system",
        (
            "FailedMount",
            'MountVolume.MountDevice failed for volume "d" : mount failed: exit status 32, wrong fs type, bad option, bad superblock on /dev/xvdba',
        ),
        ("wrong fs type",),
        "mount-refused",
    ),
    (
        "attached elsewhere",
        (
            "FailedAttachVolume",
            'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another',
        ),
        ("attached to another node",),
        "volume-attach-stuck",
    ),
)


@member("volumes", "resize pending", "10Gi of 20Gi", "file system")
def _(cluster: Cluster) -> None:
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data", "shop"),
            "spec": {"resources": {"requests": {"storage": "20Gi"}}, "volumeName": "pv"},
            "status": {
                "phase": "Bound",
                "capacity": {"storage": "10Gi"},
                "conditions": [
                    {
                        "type": "FileSystemResizePending",
                        "status": "True",
                        "lastTransitionTime": ts(ago(minutes=30)),
                    }
                ],
            },
        },
    )


# -- images


def unpulled(cluster: Cluster, message: str) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": "ImagePullBackOff",
        "message": f'Back-off pulling image "reg.io/app:9": ErrImagePull: {message}',
    }
    cluster.pod_event(
        pod,
        "Failed",
        f'Failed to pull image "reg.io/app:9": {message}',
        ago(minutes=1),
        ago(minutes=20),
        count=9,
    )


each(
    "images",
    unpulled,
    (
        "tag does not exist",
        (
            'rpc error: code = NotFound desc = failed to pull and unpack image "reg.io/app:9": failed to resolve reference "reg.io/app:9": reg.io/app:9: not found',
        ),
        ("not-found",),
        "image-not-found",
    ),
    (
        "name does not exist",
        (
            "rpc error: code = Unknown desc = failed to resolve reference: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ),
        ("app:9",),
        "",
    ),
    (
        "registry's name",
        (
            "rpc error: code = Unknown desc = failed to do request: Head https://reg.io/v2/app/manifests/9: dial tcp: lookup reg.io on 10.0.0.2:53: no such host",
        ),
        ("dns",),
        "registry-unreachable",
    ),
    (
        "no or wrong pull secret",
        (
            "rpc error: code = Unknown desc = failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
        ),
        ("unauthorized",),
        "image-pull-refused",
    ),
    (
        "rate limit",
        (
            "rpc error: code = Unknown desc = 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit",
        ),
        ("rate-limited",),
        "image-pull-refused",
    ),
    (
        "architecture",
        (
            'rpc error: code = NotFound desc = failed to pull and unpack image "reg.io/app:9": no match for platform in manifest: not found',
        ),
        ("platform",),
        "image-wrong-architecture",
    ),
    (
        "time-out",
        (
            "rpc error: code = Unknown desc = failed to do request: Head https://reg.io/v2/: dial tcp 10.9.9.9:443: i/o timeout",
        ),
        ("timeout",),
        "registry-unreachable",
    ),
)

# -- start of containers


def waits(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": reason,
        "message": message,
    }


each(
    "start",
    waits,
    (
        "Secret missing",
        ("CreateContainerConfigError", 'secret "db" not found'),
        ("Secret db missing",),
        "config-missing",
    ),
    (
        "ConfigMap missing",
        ("CreateContainerConfigError", 'configmap "app" not found'),
        ("ConfigMap app missing",),
        "config-missing",
    ),
    (
        "key missing",
        ("CreateContainerConfigError", "couldn't find key url in Secret shop/db"),
        ("key url of Secret db",),
        "config-missing",
    ),
    (
        "hook fails",
        (
            "PostStartHookError",
            "PostStartHookError: Exec lifecycle hook ([/x]) for Container main failed - error: command '/x' exited with 1",
        ),
        ("hook",),
        "container-cannot-start",
    ),
    (
        "program missing",
        (
            "RunContainerError",
            'failed to create shim task: OCI runtime create failed: exec: "serve": executable file not found in $PATH',
        ),
        ("serve", "not found"),
        "container-cannot-start",
    ),
    (
        "runs as root",
        (
            "CreateContainerConfigError",
            'container has runAsNonRoot and image will run as root (pod: "web-1", container: main)',
        ),
        ("runAsNonRoot",),
        "container-cannot-start",
    ),
)


@member("start", "unknown reason", "FailedCreatePodContainer", guide="container-cannot-start")
def _(cluster: Cluster) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    cluster.pod_event(
        pod,
        "FailedCreatePodContainer",
        "unable to ensure pod container exists: failed to create container for [kubepods]: no space",
        ago(minutes=1),
        ago(minutes=20),
        count=40,
    )


@member(
    "start", "init container never ends", "init container wait", guide="init-container-not-finished"
)
def _(cluster: Cluster) -> None:
    pending(
        cluster,
        "web-1",
        node="n1",
        since=ago(minutes=40),
        init=[{"name": "wait", "image": "a:1"}],
        init_states=[running_init("wait", ago(minutes=39))],
    )


@member("start", "sidecar never started", "sidecar proxy", guide="init-container-not-finished")
def _(cluster: Cluster) -> None:
    pending(
        cluster,
        "web-1",
        node="n1",
        since=ago(minutes=40),
        init=[
            {
                "name": "proxy",
                "image": "a:1",
                "restartPolicy": "Always",
                "startupProbe": {"tcpSocket": {"port": 1}},
            }
        ],
        init_states=[running_init("proxy", ago(minutes=39), started=False)],
    )


@member("start", "resize infeasible", "resize", "Infeasible")
def _(cluster: Cluster) -> None:
    pod = cluster.deployment("web", "shop", replicas=1)["pods"][0]
    pod["status"]["conditions"].append(
        {
            "type": "PodResizePending",
            "status": "True",
            "reason": "Infeasible",
            "message": "Node didn't have enough capacity: cpu, requested: 64000, capacity: 2000",
            "lastTransitionTime": ts(ago(minutes=9)),
        }
    )


# -- pods that a kubelet ends


def ended(cluster: Cluster, reason: str, message: str) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    extra = cluster.pod(work, created=ago(minutes=10))
    extra["status"] = {
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "startTime": ts(ago(minutes=10)),
    }


each(
    "kubelet refuses",
    ended,
    (
        "OutOfcpu",
        (
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 100, used: 7950, capacity: 7920",
        ),
        ("OutOfcpu", "cpu"),
        "kubelet-rejects-pod",
    ),
    (
        "OutOfmemory",
        ("OutOfmemory", "Pod was rejected: Node didn't have enough resource: memory"),
        ("OutOfmemory",),
        "kubelet-rejects-pod",
    ),
    (
        "OutOfpods",
        (
            "OutOfpods",
            "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110",
        ),
        ("OutOfpods",),
        "kubelet-rejects-pod",
    ),
    (
        "NodeAffinity",
        (
            "NodeAffinity",
            "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        ("NodeAffinity",),
        "kubelet-rejects-pod",
    ),
    (
        "UnexpectedAdmissionError",
        (
            "UnexpectedAdmissionError",
            "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected",
        ),
        ("nvidia.com/gpu",),
        "",
    ),
    (
        "TopologyAffinityError",
        (
            "TopologyAffinityError",
            "Pod was rejected: Resources cannot be allocated with Topology locality",
        ),
        ("TopologyAffinityError",),
        "kubelet-rejects-pod",
    ),
    (
        "Evicted",
        (
            "Evicted",
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi.",
        ),
        ("evicted", "memory"),
        "node-pressure-evictions",
    ),
    (
        "own ephemeral limit",
        ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."),
        ("own", "limit"),
        "ephemeral-storage-limit",
    ),
    (
        "Terminated",
        ("Terminated", "Pod was terminated in response to imminent node shutdown."),
        ("node shutdown",),
        "node-preempted",
    ),
    (
        "NodeShutdown",
        ("NodeShutdown", "Pod was rejected as the node is shutting down."),
        ("shutting down",),
        "node-preempted",
    ),
    (
        "DeadlineExceeded",
        ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
        ("deadline",),
        "",
    ),
    (
        "Preempting",
        ("Preempting", "Preempted in order to admit critical pod"),
        ("critical pod",),
        "",
    ),
)

# -- probes of kubelets


def probed(
    cluster: Cluster, message: str, restarts: int = 0, killing: str = "", **spec: Any
) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    for pod in work["pods"]:
        container = dict(pod["spec"]["containers"][0], ports=[{"containerPort": 8080}], **spec)
        pod["spec"] = {**pod["spec"], "containers": [container]}
        for condition in pod["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition.update(
                    status="False",
                    reason="ContainersNotReady",
                    lastTransitionTime=ts(ago(minutes=20)),
                )
        pod["status"]["containerStatuses"][0].update(ready=False, restartCount=restarts)
        cluster.pod_event(pod, "Unhealthy", message, ago(seconds=20), ago(minutes=20), count=60)
        if killing:
            cluster.pod_event(
                pod, "Killing", killing, ago(seconds=30), ago(minutes=20), count=restarts
            )
            cluster.ended(pod, ago(minutes=2), 137, "Error", restarts=restarts)
    work["status"].update(readyReplicas=0, availableReplicas=0)


def _http(port: Any = 8080, **more: Any) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": "/healthz"}, "periodSeconds": 10, **more}


each(
    "probes",
    lambda c, text, spec, *more: probed(c, text, *more, **spec),
    (
        "readiness: wrong port",
        (
            'Readiness probe failed: Get "http://10.1.0.3:9999/healthz": dial tcp 10.1.0.3:9999: connect: connection refused',
            {"readinessProbe": _http(9999)},
        ),
        ("readiness", "9999"),
        "readiness-probe-fails",
    ),
    (
        "readiness: refused",
        (
            'Readiness probe failed: Get "http://10.1.0.3:8080/healthz": dial tcp 10.1.0.3:8080: connect: connection refused',
            {"readinessProbe": _http()},
        ),
        ("readiness", "refused"),
        "readiness-probe-fails",
    ),
    (
        "readiness: time-out",
        (
            'Readiness probe failed: Get "http://10.1.0.3:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
            {"readinessProbe": _http()},
        ),
        ("readiness",),
        "readiness-probe-fails",
    ),
    (
        "readiness: status",
        (
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            {"readinessProbe": _http()},
        ),
        ("503",),
        "readiness-probe-fails",
    ),
    (
        "readiness: HTTP against TLS",
        (
            'Readiness probe failed: Get "http://10.1.0.3:8080/healthz": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03\\x01"',
            {"readinessProbe": _http()},
        ),
        ("readiness", "TLS"),
        "readiness-probe-fails",
    ),
    (
        "readiness: HTTPS against HTTP",
        (
            'Readiness probe failed: Get "https://10.1.0.3:8080/healthz": http: server gave HTTP response to HTTPS client',
            {"readinessProbe": _http()},
        ),
        ("readiness", "HTTP"),
        "readiness-probe-fails",
    ),
    (
        "liveness kills",
        (
            "Liveness probe failed: HTTP probe failed with statuscode: 500",
            {"livenessProbe": _http()},
            6,
            "Container app failed liveness probe, will be restarted",
        ),
        ("liveness", "500"),
        "liveness-probe-kills",
    ),
    (
        "startup kills",
        (
            'Startup probe failed: Get "http://10.1.0.3:8080/healthz": dial tcp 10.1.0.3:8080: connect: connection refused',
            {"startupProbe": _http(failureThreshold=3)},
            6,
            "Container app failed startup probe, will be restarted",
        ),
        ("startup",),
        "liveness-probe-kills",
    ),
)

# -- Services and routes


def served(
    cluster: Cluster, selector: dict[str, str] | None = None, ready: bool = True, **spec: Any
) -> dict[str, Any]:
    work = cluster.deployment("api", "shop", replicas=2)
    for pod in (work, *work["pods"]):
        container = (pod["spec"].get("template") or pod)["spec"]["containers"][0]
        container["ports"] = [{"name": "http", "containerPort": 8080}]
    service(cluster, "api", "shop", selector or {"app": "api"}, ready=ready, **spec)
    return work


each(
    "services",
    lambda c, selector, ports: served(c, selector, **ports),
    (
        "selector: a label off",
        ({"app": "apis"}, {}),
        ("no pod matches", "app=api"),
        "service-selector-mismatch",
    ),
    (
        "target port",
        ({}, {"ports": [{"port": 80, "targetPort": 9090}]}),
        ("9090", "8080"),
        "service-port-mismatch",
    ),
    (
        "named port",
        ({}, {"ports": [{"port": 80, "targetPort": "web"}]}),
        ("web", "http"),
        "service-port-mismatch",
    ),
    (
        "protocol",
        ({}, {"ports": [{"port": 80, "targetPort": 8080, "protocol": "UDP"}]}),
        ("UDP", "TCP"),
        "service-port-mismatch",
    ),
)


@member(
    "services", "scaled to zero", "scaled to 0", "by kubectl-scale", guide="workload-scaled-to-zero"
)
def _(cluster: Cluster) -> None:
    work = cluster.deployment("api", "shop", replicas=0)
    work["metadata"]["managedFields"] = [
        managed("kubectl-scale", ago(minutes=9), {"f:spec": {"f:replicas": {}}})
    ]
    service(cluster, "api", "shop", {"app": "api"})


@member(
    "services", "ExternalName", "other/db", "does not exist", guide="reference-to-missing-service"
)
def _(cluster: Cluster) -> None:
    cluster.add(
        "Service",
        {
            "metadata": meta("db", "shop", created=ago(hours=1)),
            "spec": {"type": "ExternalName", "externalName": "db.other.svc.cluster.local"},
        },
    )


@member("services", "endpoints not ready", "none of 2 pods is ready", guide="")
def _(cluster: Cluster) -> None:
    probed(
        cluster,
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        readinessProbe=_http(),
    )
    service(cluster, "web", "shop", {"app": "web"}, ready=False)


def calls(cluster: Cluster, **variables: str) -> None:
    """A workload whose variables name Services; `redis` has port 6379, `data` is elsewhere."""
    cluster.add("Namespace", {"metadata": meta("shop"), "status": {"phase": "Active"}})
    cluster.add("Namespace", {"metadata": meta("storage"), "status": {"phase": "Active"}})
    cluster.deployment("redis", "shop", replicas=1)
    cluster.deployment("data", "storage", replicas=1)
    service(cluster, "redis", "shop", {"app": "redis"}, port=6379)
    service(cluster, "data", "storage", {"app": "data"}, port=5432)
    env = [{"name": name, "value": value} for name, value in variables.items()]
    container = {"name": "app", "image": "app:1", "env": env}
    cluster.deployment("cart", "shop", replicas=2, spec={"containers": [container]})


each(
    "services",
    lambda c, variables: calls(c, **variables),
    (
        "variable: no such Service",
        ({"PAY_URL": "http://pay.shop.svc.cluster.local:8080/v1"},),
        ("cart", "PAY_URL", "no Service pay"),
        "reference-to-missing-service",
    ),
    (
        "variable: a letter off",
        ({"REDIS_ADDR": "rediss:6379"},),
        ("REDIS_ADDR", "the nearest is redis"),
        "reference-to-missing-service",
    ),
    (
        "variable: port",
        ({"REDIS_HOST": "redis", "REDIS_PORT": "6380"},),
        ("redis:6380", "has port 6379"),
        "service-port-mismatch",
    ),
    (
        "variable: in another namespace",
        ({"DB_DSN": "postgres://shop:pw@data:5432/shop"},),
        ("data:5432", "but one in storage"),
        "reference-to-missing-service",
    ),
    (
        "variable: no such namespace",
        ({"DB": "tcp://data.stores.svc:5432"},),
        ("no namespace stores",),
        "reference-to-missing-service",
    ),
)


def routed(cluster: Cluster, class_: str, classes: tuple[str, ...], **spec: Any) -> None:
    served(cluster)
    for name in classes:
        cluster.add("IngressClass", {"metadata": meta(name), "spec": {"controller": f"x/{name}"}})
    backend = {"service": {"name": "api", "port": {"number": 80}}}
    rules = [{"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    named = {"ingressClassName": class_} if class_ else {}
    cluster.add("Secret", {"metadata": meta("tls", "shop")})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("front", "shop", created=ago(minutes=30)),
            "spec": {"rules": rules, **named, **spec},
        },
    )


def _backend(name: str, port: int) -> list[dict[str, Any]]:
    backend = {"service": {"name": name, "port": {"number": port}}}
    return [{"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]


each(
    "routes",
    lambda c, class_, classes, spec: routed(c, class_, classes, **spec),
    (
        "class missing",
        ("nginx-internal", ("nginx",), {}),
        ("IngressClass nginx-internal", "nginx"),
        "ingress-backend-missing",
    ),
    (
        "no class, none is the default",
        ("", ("nginx",), {}),
        ("no class",),
        "ingress-backend-missing",
    ),
    ("no class at all", ("nginx", (), {}), ("there is none",), "ingress-backend-missing"),
    (
        "backend missing",
        ("nginx", ("nginx",), {"rules": _backend("gone", 80)}),
        ("Service gone",),
        "ingress-backend-missing",
    ),
    (
        "backend's port missing",
        ("nginx", ("nginx",), {"rules": _backend("api", 81)}),
        ("port 81",),
        "ingress-backend-missing",
    ),
    (
        "TLS Secret missing",
        ("nginx", ("nginx",), {"tls": [{"secretName": "cert"}]}),
        ("TLS Secret cert",),
        "ingress-tls-missing",
    ),
)


@member("routes", "host twice", "a.example", "leads to", guide="ingress-backend-missing")
def _(cluster: Cluster) -> None:
    routed(cluster, "nginx", ("nginx",))
    service(cluster, "web", "shop", {"app": "api"})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("late", "shop", created=ago(minutes=9)),
            "spec": {"ingressClassName": "nginx", "rules": _backend("web", 80)},
        },
    )


def gatewayed(
    cluster: Cluster,
    gateway: dict[str, Any] | None = None,
    route: dict[str, Any] | None = None,
    accepted: str = "True",
    parents: tuple[dict[str, Any], ...] = (),
    conditions: tuple[dict[str, Any], ...] = (),
) -> None:
    served(cluster)
    said = {"lastTransitionTime": ts(ago(minutes=20))}
    state = {
        "type": "Accepted",
        "status": accepted,
        "reason": "InvalidParameters",
        "message": "no such parameters",
        **said,
    }
    cluster.add(
        "GatewayClass", {"metadata": meta("envoy"), "spec": {}, "status": {"conditions": [state]}}
    )
    cluster.add("Secret", {"metadata": meta("tls", "shop")})
    listeners = [
        {
            "name": "web",
            "port": 443,
            "protocol": "HTTPS",
            "tls": {"certificateRefs": [{"name": "tls"}]},
        }
    ]
    cluster.add(
        "Gateway",
        {
            "metadata": meta("edge", "shop", created=ago(minutes=30)),
            "spec": {"gatewayClassName": "envoy", "listeners": listeners, **(gateway or {})},
            "status": {"conditions": [{**c, **said} for c in conditions]},
        },
    )
    cluster.add(
        "HTTPRoute",
        {
            "metadata": meta("front", "shop", created=ago(minutes=30)),
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "hostnames": ["a.example"],
                "rules": [{"backendRefs": [{"name": "api", "port": 80}]}],
                **(route or {}),
            },
            "status": {
                "parents": [
                    {"parentRef": {"name": "edge"}, "conditions": [{**c, **said} for c in parents]}
                ]
            },
        },
    )


each(
    "routes",
    lambda c, more: gatewayed(c, **more),
    (
        "Gateway: class missing",
        ({"gateway": {"gatewayClassName": "istio"}},),
        ("GatewayClass istio",),
        "ingress-backend-missing",
    ),
    (
        "Gateway: class not accepted",
        ({"accepted": "False"},),
        ("envoy", "no such parameters"),
        "ingress-backend-missing",
    ),
    (
        "Gateway: not programmed",
        (
            {
                "conditions": (
                    {
                        "type": "Programmed",
                        "status": "False",
                        "reason": "AddressNotAssigned",
                        "message": "no address",
                    },
                )
            },
        ),
        ("not programmed", "no address"),
        "ingress-backend-missing",
    ),
    (
        "Gateway: TLS Secret missing",
        (
            {
                "gateway": {
                    "listeners": [{"name": "web", "tls": {"certificateRefs": [{"name": "cert"}]}}]
                }
            },
        ),
        ("shop/cert",),
        "ingress-tls-missing",
    ),
    (
        "HTTPRoute: backend missing",
        ({"route": {"rules": [{"backendRefs": [{"name": "gone", "port": 80}]}]}},),
        ("shop/gone",),
        "ingress-backend-missing",
    ),
    (
        "HTTPRoute: port missing",
        ({"route": {"rules": [{"backendRefs": [{"name": "api", "port": 81}]}]}},),
        ("port 81",),
        "ingress-backend-missing",
    ),
    (
        "HTTPRoute: Gateway missing",
        ({"route": {"parentRefs": [{"name": "gone"}]}},),
        ("Gateway shop/gone",),
        "ingress-backend-missing",
    ),
    (
        "HTTPRoute: listener missing",
        ({"route": {"parentRefs": [{"name": "edge", "sectionName": "tcp"}]}},),
        ("listener tcp", "has web"),
        "ingress-backend-missing",
    ),
    (
        "HTTPRoute: not accepted",
        (
            {
                "parents": (
                    {
                        "type": "Accepted",
                        "status": "False",
                        "reason": "NotAllowedByListeners",
                        "message": "namespace shop is not allowed",
                    },
                )
            },
        ),
        ("NotAllowedByListeners",),
        "ingress-backend-missing",
    ),
)

# -- runtime limits


@member("limits", "out of memory at its own limit", "memory limit", guide="memory-limit-reached")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    end = {
        "exitCode": 137,
        "reason": "OOMKilled",
        "startedAt": ts(ago(minutes=9)),
        "finishedAt": ts(ago(minutes=2)),
    }
    for pod in work["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=6, phase="Running", last=end)
    work["status"].update(readyReplicas=0, availableReplicas=0)


@member("limits", "node under disk pressure", "disk pressure", guide="node-pressure-evictions")
def _(cluster: Cluster) -> None:
    for condition in cluster.nodes[0]["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(
                status="True",
                reason="KubeletHasDiskPressure",
                lastTransitionTime=ts(ago(minutes=9)),
            )


# -- workloads


@member("workloads", "rollout past its deadline", "web", "deadline", guide="rollout-stuck")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    work["status"]["conditions"] = [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": 'ReplicaSet "web-7d4b9c" has timed out progressing.',
            "lastTransitionTime": ts(ago(minutes=9)),
        }
    ]
    work["status"]["updatedReplicas"] = 1


@member("workloads", "rollout paused", "paused by kubectl-rollout", guide="rollout-stuck")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=3)
    work["spec"]["paused"] = True
    work["status"]["updatedReplicas"] = 1
    work["metadata"]["managedFields"] = [
        managed("kubectl-rollout", ago(hours=3), {"f:spec": {"f:paused": {}}})
    ]


def job(cluster: Cluster, reason: str, **spec: Any) -> None:
    said = {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": "Job has reached the specified backoff limit",
        "lastTransitionTime": ts(ago(minutes=9)),
    }
    cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop", created=ago(minutes=40)),
            "spec": spec,
            "status": {"failed": 7, "conditions": [said], "startTime": ts(ago(minutes=40))},
        },
    )


each(
    "workloads",
    job,
    ("Job: back-off", ("BackoffLimitExceeded",), ("load", "BackoffLimitExceeded"), "job-failed"),
    ("Job: deadline", ("DeadlineExceeded",), ("DeadlineExceeded",), "job-failed"),
    ("Job: pod failure policy", ("PodFailurePolicy",), ("PodFailurePolicy",), "job-failed"),
)


@member("workloads", "Job suspended", "load", "suspended")
def _(cluster: Cluster) -> None:
    write = managed("kubectl-patch", ago(minutes=30), {"f:spec": {"f:suspend": {}}})
    cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop", created=ago(minutes=40), managedFields=[write]),
            "spec": {"suspend": True},
            "status": {
                "conditions": [
                    {
                        "type": "Suspended",
                        "status": "True",
                        "reason": "JobSuspended",
                        "lastTransitionTime": ts(ago(minutes=30)),
                    }
                ]
            },
        },
    )


def cronjob(
    cluster: Cluster, spec: dict[str, Any], status: dict[str, Any], event: str = ""
) -> None:
    write = managed("kubectl-patch", ago(minutes=30), {"f:spec": {"f:suspend": {}}})
    cluster.add(
        "CronJob",
        {
            "metadata": meta("tidy", "shop", created=ago(days=3), managedFields=[write]),
            "spec": {"schedule": "*/5 * * * *", **spec},
            "status": status,
        },
    )
    lease(cluster, "kube-scheduler", ago(seconds=1))
    if event:
        cluster.event(
            "CronJob",
            "shop",
            "tidy",
            event,
            "Cannot determine if job needs to be started",
            ago(minutes=2),
            count=9,
        )


each(
    "workloads",
    cronjob,
    (
        "CronJob suspended",
        ({"suspend": True}, {"lastScheduleTime": ts(ago(minutes=35))}),
        ("tidy", "suspended by kubectl-patch"),
        "cronjob-not-running",
    ),
    (
        "CronJob missed",
        ({}, {"lastScheduleTime": ts(ago(hours=2))}, "TooManyMissedTimes"),
        ("TooManyMissedTimes",),
        "cronjob-not-running",
    ),
    (
        "CronJob late",
        ({}, {"lastScheduleTime": ts(ago(hours=2))}),
        ("has not run since",),
        "cronjob-not-running",
    ),
)


@member("workloads", "CronJob never succeeded", "never succeeded", guide="job-failed")
def _(cluster: Cluster) -> None:
    cron = cluster.add(
        "CronJob",
        {
            "metadata": meta("tidy", "shop", created=ago(hours=3)),
            "spec": {"schedule": "0 * * * *"},
            "status": {"lastScheduleTime": ts(ago(minutes=26))},
        },
    )
    said = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "lastTransitionTime": ts(ago(minutes=20)),
    }
    cluster.add(
        "Job",
        {
            "metadata": meta("tidy-1", "shop", created=ago(minutes=26), owner=("CronJob", cron)),
            "status": {"failed": 7, "conditions": [said]},
        },
    )


def scaler(cluster: Cluster, type_: str, status: str, reason: str, message: str) -> None:
    said = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ts(ago(minutes=20)),
    }
    cluster.deployment("web", "shop", replicas=2)
    cluster.add(
        "HorizontalPodAutoscaler",
        {
            "metadata": meta("web", "shop"),
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 4},
            "status": {"currentReplicas": 4, "conditions": [said]},
        },
    )


each(
    "workloads",
    scaler,
    (
        "HPA: no metrics",
        (
            "ScalingActive",
            "False",
            "FailedGetResourceMetric",
            "unable to get metrics for resource cpu: no metrics returned from resource metrics API",
        ),
        ("no metrics",),
        "autoscaler-cannot-scale",
    ),
    (
        "HPA: at its maximum",
        (
            "ScalingLimited",
            "True",
            "TooManyReplicas",
            "the desired replica count is more than the maximum",
        ),
        ("maximum of 4",),
        "autoscaler-at-maximum",
    ),
    (
        "HPA: target missing",
        ("AbleToScale", "False", "FailedGetScale", 'deployments.apps "web" not found'),
        ("target Deployment web does not exist",),
        "autoscaler-cannot-scale",
    ),
)


@member("workloads", "PDB blocks", "holds the drain of n1", guide="disruption-budget-blocks")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=1)
    work["pods"][0]["spec"]["nodeName"] = "n1"
    cluster.nodes[0]["spec"]["unschedulable"] = True
    cluster.add(
        "PodDisruptionBudget",
        {
            "metadata": meta("web", "shop"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1},
            "status": {
                "currentHealthy": 1,
                "desiredHealthy": 1,
                "expectedPods": 1,
                "disruptionsAllowed": 0,
            },
        },
    )


@member("workloads", "StatefulSet stuck on one pod", "db-0", guide="statefulset-stuck-on-one-pod")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("db", "shop", replicas=1, kind="StatefulSet")
    pod = work["pods"][0]
    pod["metadata"]["name"] = "db-0"
    work["spec"]["replicas"] = 3
    work["status"].update(replicas=1, readyReplicas=0)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=20)))
    pod["status"]["containerStatuses"][0]["ready"] = False


def daemons(cluster: Cluster, **node: Any) -> dict[str, Any]:
    work = cluster.deployment("agent", "shop", kind="DaemonSet")
    gone = work["pods"].pop()
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not gone]
    for key, value in node.items():
        cluster.nodes[2]["spec"][key] = value
    return work


@member(
    "workloads", "DaemonSet: pod not made", "agent", "no pod on n3", guide="daemonset-misses-nodes"
)
def _(cluster: Cluster) -> None:
    daemons(cluster)["status"].update(desiredNumberScheduled=3, numberReady=2)


@member(
    "workloads",
    "DaemonSet: taint",
    "agent",
    "n3",
    "dedicated:NoSchedule",
    guide="daemonset-misses-nodes",
)
def _(cluster: Cluster) -> None:
    daemons(cluster, taints=[{"key": "dedicated", "effect": "NoSchedule"}])["status"].update(
        desiredNumberScheduled=2, numberReady=2
    )
    cluster.nodes[2]["metadata"]["managedFields"] = [
        managed("kubectl-taint", ago(hours=2), {"f:spec": {"f:taints": {}}})
    ]


@member(
    "workloads", "DaemonSet: selector", "agent", "n3", "selector", guide="daemonset-misses-nodes"
)
def _(cluster: Cluster) -> None:
    work = daemons(cluster)
    work["status"].update(desiredNumberScheduled=2, numberReady=2)
    work["spec"]["template"]["spec"]["nodeSelector"] = {"agent": "yes"}
    for node in cluster.nodes[:2]:
        node["metadata"]["labels"]["agent"] = "yes"


@member(
    "workloads",
    "DaemonSet: no room",
    "agent",
    "n3",
    "insufficient cpu",
    guide="daemonset-misses-nodes",
)
def _(cluster: Cluster) -> None:
    work = daemons(cluster)
    work["status"].update(desiredNumberScheduled=3, numberReady=2)
    pod = cluster.pod(work, node=cluster.nodes[2], created=ago(minutes=20))
    fields = [{"key": "metadata.name", "operator": "In", "values": ["n3"]}]
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": fields}]
            }
        }
    }
    pod["spec"] = {**pod["spec"], "nodeName": "", "affinity": affinity}
    text = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector."
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": text,
                "lastTransitionTime": ts(ago(minutes=20)),
            }
        ],
    }


@member("workloads", "half-dead pod", "half dead", "exit 1", guide="pod-partly-ended")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=1)
    pod = work["pods"][0]
    pod["spec"] = {**pod["spec"], "restartPolicy": "Never"}
    pod["metadata"]["ownerReferences"] = []
    dead = {
        "name": "log",
        "ready": False,
        "state": {
            "terminated": {"exitCode": 1, "reason": "Error", "finishedAt": ts(ago(minutes=20))}
        },
    }
    pod["status"]["containerStatuses"].append(dead)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=20)))


# -- nodes and control plane


def unready(cluster: Cluster, status: str, reason: str, message: str) -> None:
    cluster.not_ready(cluster.nodes[0], ago(minutes=12), status, reason, message)


each(
    "nodes",
    unready,
    (
        "kubelet away",
        ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
        ("n1", "kubelet stopped posting"),
        "node-not-ready",
    ),
    (
        "container runtime away",
        ("False", "KubeletNotReady", "container runtime is down"),
        ("n1", "container runtime is down"),
        "node-not-ready",
    ),
    (
        "network plugin",
        (
            "False",
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
        ),
        ("n1", "network plugin"),
        "",
    ),
    (
        "PLEG",
        (
            "False",
            "KubeletNotReady",
            "PLEG is not healthy: pleg was last seen active 5m0s ago; threshold is 3m0s.",
        ),
        ("n1", "PLEG"),
        "",
    ),
)


def away(cluster: Cluster, name: str) -> None:
    lease(cluster, name, ago(minutes=9))
    for other in ("kube-scheduler", "kube-controller-manager"):
        if other != name:
            lease(cluster, other, ago(seconds=1))


each(
    "nodes",
    away,
    ("scheduler away", ("kube-scheduler",), ("kube-scheduler is away",), ""),
    (
        "controller manager away",
        ("kube-controller-manager",),
        ("kube-controller-manager is away",),
        "control-plane-component-down",
    ),
)


def static(cluster: Cluster, component: str, message: str = "") -> None:
    node = cluster.node("cp", **{"node-role.kubernetes.io/control-plane": ""})
    created = ago(days=9)
    pod = cluster.add(
        "Pod",
        {
            "metadata": meta(
                f"{component}-cp",
                "kube-system",
                created=created,
                owner=("Node", node),
                labels={"component": component, "tier": "control-plane"},
                annotations={"kubernetes.io/config.source": "file"},
            ),
            "spec": {
                "nodeName": "cp",
                "hostNetwork": True,
                "containers": [{"name": component, "image": f"registry.k8s.io/{component}:1"}],
            },
            "status": {
                "phase": "Running",
                "startTime": ts(created),
                "conditions": [
                    {"type": "Ready", "status": "False", "lastTransitionTime": ts(ago(minutes=20))}
                ],
            },
        },
    )
    end = {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    pod["status"]["containerStatuses"] = [
        {
            "name": component,
            "restartCount": 9,
            "image": "x",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": end},
        }
    ]


each(
    "nodes",
    static,
    ("static pod: scheduler", ("kube-scheduler",), ("kube-scheduler",), ""),
    ("static pod: etcd", ("etcd",), ("etcd",), ""),
    (
        "certificate expired",
        (
            "kube-apiserver",
            "Unable to authenticate the request: x509: certificate has expired or is not yet valid",
        ),
        ("certificate",),
        "certificate-expired",
    ),
)


@member("nodes", "kube-proxy away", "kube-proxy", guide="kube-proxy-down")
def _(cluster: Cluster) -> None:
    work = cluster.deployment(
        "kube-proxy",
        "kube-system",
        kind="DaemonSet",
        spec={
            "hostNetwork": True,
            "containers": [
                {
                    "name": "kube-proxy",
                    "image": "registry.k8s.io/kube-proxy:v1.33.2",
                    "command": ["/usr/local/bin/kube-proxy"],
                }
            ],
        },
    )
    work["status"]["numberReady"] = 2
    end = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    cluster.waiting(work["pods"][0], "CrashLoopBackOff", restarts=9, phase="Running", last=end)
    work["pods"][0]["metadata"]["creationTimestamp"] = ts(ago(hours=2))


@member("nodes", "etcd learner", "EtcdIsVoter", guide="")
def _(cluster: Cluster) -> None:
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": "EtcdIsVoter",
            "status": "False",
            "reason": "MemberIsLearner",
            "message": "Node has not been promoted to voting member of the etcd cluster",
            "lastTransitionTime": ts(ago(minutes=40)),
        }
    )


@member("nodes", "preemption announced", "preempted", guide="node-preempted")
def _(cluster: Cluster) -> None:
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": "VMEventScheduled",
            "status": "True",
            "reason": "VMEventScheduled",
            "message": "Preempt Scheduled: Mon, 16 Mar 2026 09:28:00 GMT",
            "lastTransitionTime": ts(ago(minutes=1)),
        }
    )


@member("nodes", "clock", "clock", guide="clock-skew")
def _(cluster: Cluster) -> None:
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": "ClockSkew",
            "status": "True",
            "reason": "NTPIsDown",
            "message": "clock is off by 42 s",
            "lastTransitionTime": ts(ago(minutes=40)),
        }
    )


# -- deletions that hang


def deleting(
    cluster: Cluster, kind: str, finalizer: str, namespace: str = "shop", **raw: Any
) -> None:
    cluster.add(
        kind,
        {
            "metadata": meta(
                "old", namespace, deletionTimestamp=ts(ago(minutes=30)), finalizers=[finalizer]
            ),
            **raw,
        },
    )


each(
    "deletions",
    lambda c, kind, finalizer, namespace, raw: deleting(c, kind, finalizer, namespace, **raw),
    (
        "PVC",
        (
            "PersistentVolumeClaim",
            "kubernetes.io/pvc-protection",
            "shop",
            {"status": {"phase": "Bound"}},
        ),
        ("pvc-protection",),
        "finalizer-blocks-deletion",
    ),
    (
        "PV",
        ("PersistentVolume", "external-provisioner.volume.kubernetes.io/finalizer", "", {}),
        ("driver has not deleted",),
        "finalizer-blocks-deletion",
    ),
    (
        "Service of a balancer",
        (
            "Service",
            "service.kubernetes.io/load-balancer-cleanup",
            "shop",
            {"spec": {"type": "LoadBalancer"}},
        ),
        ("load balancer",),
        "finalizer-blocks-deletion",
    ),
    (
        "node",
        (
            "Node",
            "example.com/drain",
            "",
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        ),
        ("example.com/drain",),
        "finalizer-blocks-deletion",
    ),
    (
        "CRD",
        ("CustomResourceDefinition", "customresourcecleanup.apiextensions.k8s.io", "", {}),
        ("objects of its kind remain",),
        "finalizer-blocks-deletion",
    ),
)


def ending(cluster: Cluster, type_: str, message: str) -> None:
    said = {
        "type": type_,
        "status": "True",
        "message": message,
        "lastTransitionTime": ts(ago(minutes=28)),
    }
    cluster.add(
        "Namespace",
        {
            "metadata": meta("old", deletionTimestamp=ts(ago(minutes=30))),
            "status": {"phase": "Terminating", "conditions": [said]},
        },
    )


each(
    "deletions",
    ending,
    (
        "namespace: finalizer",
        (
            "NamespaceFinalizersRemaining",
            "Some content in the namespace has finalizers remaining: mq.example.com/keep in 3 resource instances",
        ),
        ("mq.example.com/keep", "3"),
        "namespace-stuck-terminating",
    ),
    (
        "namespace: aggregated API",
        (
            "NamespaceDeletionDiscoveryFailure",
            "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
        ),
        ("metrics.k8s.io",),
        "",
    ),
)


@member("deletions", "pod on a dead node", "n1", guide="node-not-ready")
def _(cluster: Cluster) -> None:
    cluster.not_ready(cluster.nodes[0], ago(minutes=30))
    pod = cluster.deployment("web", "shop", replicas=1)["pods"][0]
    pod["spec"] = {**pod["spec"], "nodeName": "n1"}
    pod["metadata"]["deletionTimestamp"] = ts(ago(minutes=20))


# -- aggregated APIs


def aggregated(cluster: Cluster, group: str, message: str, with_service: bool) -> None:
    said = {
        "type": "Available",
        "status": "False",
        "reason": "FailedDiscoveryCheck",
        "message": message,
        "lastTransitionTime": ts(ago(minutes=20)),
    }
    cluster.add(
        "APIService",
        {
            "metadata": meta(f"v1beta1.{group}"),
            "spec": {
                "group": group,
                "version": "v1beta1",
                "service": {"namespace": "kube-system", "name": "metrics-server"},
            },
            "status": {"conditions": [said]},
        },
    )
    if with_service:
        cluster.deployment("metrics-server", "kube-system", replicas=1)
        service(cluster, "metrics-server", "kube-system", {"app": "metrics-server"}, port=443)
    else:
        service(cluster, "other", "kube-system", {"app": "x"}, port=443)
    reason = "FailedGetResourceMetric" if group.startswith("metrics") else "FailedGetPodsMetric"
    scaler(cluster, "ScalingActive", "False", reason, "unable to get metrics")


each(
    "aggregated APIs",
    aggregated,
    (
        "metrics",
        (
            "metrics.k8s.io",
            "failing or missing response from https://10.0.0.9:443/apis: context deadline exceeded",
            True,
        ),
        ("v1beta1.metrics.k8s.io", "deadline", "kubectl top", "1 autoscaler"),
        "aggregated-api-unavailable",
    ),
    (
        "backend missing",
        ("custom.metrics.k8s.io", "service/x not present", False),
        ("metrics-server does not exist", "1 autoscaler"),
        "aggregated-api-unavailable",
    ),
)


if __name__ == "__main__":
    for one in MEMBERS:
        line, guide = lines(one)
        missing = [word for word in one.says if word not in line]
        state = (
            "right" if not missing and one.guide in ("", guide) else "half" if line else "silent"
        )
        print(f"{one.family:16} {one.name:32} {state:7} {guide:32} {line}"[:230])
