"""Pods that do not start: scheduling, admission, sandboxes, images and containers."""

from __future__ import annotations

import pytest

from tests.triage.build import ago, meta, ts
from tests.triage.situation import (
    about,
    background,
    first,
    look,
    pending,
    pod_of,
    sure,
)
from triage.facts.finding import Severity
from triage.facts.messages.kubelet import sandbox_cause
from triage.facts.messages.volumes import mount_problem
from triage.facts.messages.wording import QUOTE, inner_words, quoted, signature


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        (
            "Unschedulable",
            "0/6 nodes are available: 6 Insufficient memory. preemption: 0/6 nodes are available.",
            "insufficient-memory",
        ),
        ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", "gated"),
    ],
)
def test_not_scheduled(reason: str, message: str, cause: str) -> None:
    cluster = background()
    pod = pod_of(cluster)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": ts(ago(minutes=8)),
    }
    pod["spec"]["nodeName"] = ""
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=12))
    pod["status"] = {"phase": "Pending", "conditions": [condition]}
    assert about(look(cluster), "pod-unschedulable", "odd").facts["cause"] == cause


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        *(
            (r, "pod-image-pull-failed")
            for r in ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
        ),
        ("ImageInspectError", "pod-image-pull-failed"),
        ("CreateContainerConfigError", "pod-container-create-failed"),
        *(
            (r, "pod-container-create-failed")
            for r in ("CreateContainerError", "PreCreateHookError", "PreStartHookError")
        ),
        *((r, "pod-container-create-failed") for r in ("RunContainerError", "PostStartHookError")),
    ],
)
@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
def test_waiting_reasons_of_containers_and_init_containers(
    reason: str, rule: str, where: str
) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=20))
    cluster.waiting(pod, reason, "it does not work")
    if where == "initContainerStatuses":
        pod["status"][where] = pod["status"].pop("containerStatuses")
        pod["spec"]["initContainers"] = pod["spec"]["containers"]
    assert about(look(cluster), rule, "odd").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("reason", "message", "rule"),
    [
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = x",
            "pod-sandbox-failed",
        ),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "v" : secret "token" not found',
            "pod-config-missing",
        ),
        (
            "FailedAttachVolume",
            'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s)',
            "pod-volume-failed",
        ),
    ],
)
def test_containers_that_are_not_created_although_a_later_normal_event_hides_the_cause(
    reason: str, message: str, rule: str
) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=15))
    cluster.waiting(pod, "ContainerCreating")
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    cluster.event(
        "Pod", "shop", name, reason, message, ago(minutes=2), ago(minutes=14), count=9, uid_=uid
    )
    cluster.event(
        "Pod",
        "shop",
        name,
        "Pulled",
        "Successfully pulled image",
        ago(seconds=20),
        type_="Normal",
        uid_=uid,
    )
    late = cluster.event(
        "Pod", "shop", name, "Scheduled", "assigned", ago(seconds=10), type_="Normal", uid_=uid
    )
    late.update(firstTimestamp=None, lastTimestamp=None, eventTime=ts(ago(seconds=10)))
    assert about(look(cluster), rule, "odd")


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP '
            "address to container",
            "ip-exhausted",
        ),
        (
            "failed to allocate for range 0: no IP addresses available in range set: "
            "10.4.1.1-10.4.1.254",
            "ip-exhausted",
        ),
        (
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:cni plugin not initialized",
            "cni-not-ready",
        ),
    ],
)
def test_sandboxes_that_fail(message: str, cause: str) -> None:
    cluster = background()
    for number in range(4):
        raw = cluster.deployment(f"more{number}", "shop", replicas=1, created=ago(minutes=9))
        cluster.waiting(raw["pods"][0], "ContainerCreating")
        cluster.pod_event(
            raw["pods"][0],
            "FailedCreatePodSandBox",
            f"Failed to create pod sandbox: rpc error: code = Unknown desc = {message}",
            ago(seconds=50),
            first=ago(minutes=8),
            count=12,
        )
        # a later Normal event must not hide the cause
        cluster.pod_event(
            raw["pods"][0],
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            ago(seconds=20),
            type_="Normal",
        )
    report = look(cluster)
    assert {f.facts["cause"] for f in report.findings if f.rule == "pod-sandbox-failed"} == {cause}
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_unschedulable_is_told_by_cause_and_after_a_grace() -> None:
    cluster = background()
    raw = cluster.deployment("big", "shop", replicas=5, created=ago(minutes=20))
    for number, pod in enumerate(raw["pods"]):
        since = ago(seconds=20) if number == 4 else ago(minutes=15)
        pod["spec"]["nodeName"] = ""
        pod["status"] = {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "lastTransitionTime": ts(since),
                    "message": "0/9 nodes are available: 1 node(s) had untolerated taint {x: y}, 8 Insufficient memory. "
                    "preemption: 0/9 nodes are available: 9 No preemption victims found for "
                    "incoming pod.",
                }
            ],
        }
    raw["status"]["readyReplicas"] = 0
    report = look(cluster)
    findings = [f for f in report.findings if f.rule == "pod-unschedulable"]
    assert [f.young for f in findings] == [False] * 4 + [True]
    assert [(f.facts["cause"], f.facts["causes"], f.facts["nodes"]) for f in findings] == [
        ("insufficient-memory", ("insufficient-memory", "taint"), 9)
    ] * 5
    assert report.symptoms[0].title == "5 pods of big are pending: insufficient memory"
    assert report.symptoms[0].mechanism == "pod-unschedulable"


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        (
            "SMTAlignmentError",
            "Pod was rejected: SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2",
            "requested 3 cpus not multiple cpus per core = 2",
        ),
        (
            "TopologyAffinityError",
            "Pod was rejected: Resources cannot be allocated with Topology locality",
            "Resources cannot be allocated with Topology locality",
        ),
        ("SomeReasonOfTomorrow", "Pod was rejected: no", "SomeReasonOfTomorrow"),
    ],
)
def test_pods_refused_at_admission_are_one_symptom_that_names_the_node(
    reason: str, message: str, said: str
) -> None:
    cluster = background()
    work = cluster.deployment("trader", "shop", replicas=1, created=ago(minutes=40))
    work["status"].update(readyReplicas=0, availableReplicas=0)
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["pods"][0]]
    for number in range(60):
        pod = cluster.pod(
            work, cluster.nodes[0], created=ago(minutes=40 - number // 3), name=f"trader-{number}"
        )
        pod["status"] = {
            "phase": "Failed",
            "reason": reason,
            "message": message,
            "startTime": pod["metadata"]["creationTimestamp"],
        }
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1, [s.title for s in loud]
    assert "60 pods of trader were refused at admission on n1" in loud[0].title
    assert said in loud[0].title


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, "
            "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            "insufficient nvidia.com/gpu",
        ),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint "
            "{node.cloudprovider.kubernetes.io/uninitialized: true}. preemption: 0/3 nodes are "
            "available: 3 Preemption is not helpful for scheduling.",
            "untolerated taint node.cloudprovider.kubernetes.io/uninitialized",
        ),
        (
            'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
            "volumes cannot be bound: context deadline exceeded",
        ),
        ("no nodes available to schedule pods", "the cluster has no node"),
        (
            "Pod provisioning timed out (will retry) for pod: shop/batch-0",
            "the provider did not provision a node in time",
        ),
        (
            "Pod not supported on Fargate: volumes not supported: data",
            "the provider refuses the pod: volumes not supported: data",
        ),
        (
            "0/4 nodes are available: 4 cannot allocate all claims. preemption: 0/4 nodes are "
            "available: 4 Preemption is not helpful for scheduling.",
            "dynamic resources cannot be allocated",
        ),
        (
            'Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={}, '
            'no instance type satisfied resources {"cpu":"96"}',
            "no node pool fits",
        ),
        (
            '0/4 nodes are available: persistentvolumeclaim "data-0" not found. preemption: 0/4 '
            "nodes are available: 4 Preemption is not helpful for scheduling.",
            "volume claim data-0 not found",
        ),
        ("something that no scheduler says today", "something that no scheduler says today"),
    ],
)
def test_the_deciding_word_of_the_scheduler_is_in_the_title(message: str, title: str) -> None:
    cluster = background()
    raw = pending(cluster, "train-0", since=ago(minutes=15))
    raw["status"]["conditions"][0]["message"] = message
    assert first(cluster) == f"train-0 is pending: {title}"
    assert not sure(look(cluster))


def test_unknown_reasons_of_the_kubelet_are_quoted_and_one_cause_is_one_symptom() -> None:
    cluster = background()
    for name in ("orders", "mail", "search", "geo"):
        work = cluster.deployment(name, "shop", replicas=1, created=ago(days=3))
        cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["pods"][0]]
        pod = cluster.pod(work, cluster.nodes[1], created=ago(minutes=14))
        cluster.waiting(pod, "ContainerCreating")
        pod["status"]["conditions"][0]["lastTransitionTime"] = ts(ago(minutes=14))
        work["status"].update(readyReplicas=0, availableReplicas=0)
        cluster.pod_event(
            pod,
            "FailedCreatePodContainer",
            "unable to ensure pod container exists: failed to create container for [kubepods "
            f"burstable pod3f{len(name)}9] : mkdir /sys/fs/cgroup/memory/kubepods/burstable/"
            f"pod3f{len(name)}9: cannot allocate memory",
            ago(seconds=20),
            ago(minutes=14),
            count=61,
        )
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1, [s.title for s in loud]
    assert loud[0].title.startswith("4 pods do not start on n2: FailedCreatePodContainer")
    assert loud[0].title.endswith("cannot allocate memory")
    assert not sure(report)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'failed to setup network for sandbox "1f": plugin type="calico" failed (add): stat '
            "/var/lib/calico/nodename: no such file or directory",
            "cni-not-ready",
        ),
        (
            "rpc error: code = Unavailable desc = connection error: desc = "
            '"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: '
            'no such file or directory"',
            "runtime-down",
        ),
        (
            "failed to create containerd task: failed to create shim task: OCI runtime create "
            "failed: runc create failed: container init was OOM-killed (memory limit too low?)",
            "memory-limit",
        ),
        *(
            (
                'rpc error: code = Unavailable desc = connection error: desc = "transport: Error '
                f'while dialing: dial unix {socket}: connect: connection refused"',
                "runtime-down",
            )
            for socket in (
                "/var/run/crio/crio.sock",
                "/run/k3s/containerd/containerd.sock",
                "/var/run/cri-dockerd.sock",
                "/run/docker/containerd/containerd.sock",
            )
        ),
        *(
            (f'failed to setup network for sandbox "1f": {text}', "cni-not-ready")
            for text in (
                'plugin type="flannel" failed (add): open /run/flannel/subnet.env: no such file or '
                "directory",
                'plugin type="cilium-cni" failed (add): unable to connect to Cilium agent: failed '
                "to create cilium agent client after 30.0 seconds timeout: Get "
                '"http://localhost/v1/config": dial unix /var/run/cilium/cilium.sock: connect: no '
                "such file or directory",
                'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from '
                "AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc "
                '= "transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection '
                'refused"',
                'plugin type="antrea" failed (add): rpc error: code = Unavailable desc = connection '
                'error: desc = "transport: Error while dialing: dial unix /var/run/antrea/cni.sock: '
                'connect: connection refused"',
                'plugin type="multus-shim" name="multus-cni-network" failed (add): CmdAdd (shim): '
                "CNI request failed with status 400: failed to send CNI request: Post "
                '"http://dummy/cni": dial unix /run/multus/multus.sock: connect: no such file or '
                "directory",
                'plugin type="kube-ovn" failed (add): RPC failed; request ip return 500 dial unix '
                "/run/openvswitch/kube-ovn-daemon.sock: connect: connection refused",
                'plugin type="weave-net" name="weave" failed (add): unable to allocate IP address: '
                'Post "http://127.0.0.1:6784/ip/1f": dial tcp 127.0.0.1:6784: connect: connection '
                "refused",
            )
        ),
        (
            "failed to create containerd task: failed to create shim task: OCI runtime create "
            "failed: container_linux.go:380: process_linux.go:545: container init caused: process "
            "was killed: OOM killed",
            "memory-limit",
        ),
        (
            "code = DeadlineExceeded desc = failed to get sandbox image "
            '"registry.example.org/pause:3.8": failed to pull image: dial tcp 10.0.0.9:443: i/o '
            "timeout",
            "image",
        ),
        ('failed to get sandbox runtime: no runtime for "gvisor" is configured', "runtime-class"),
    ],
)
def test_who_is_away_when_a_sandbox_fails(message: str, cause: str) -> None:
    assert sandbox_cause(message) == cause


def test_after_a_reboot_pods_that_count_as_running_wait_for_the_network_agent() -> None:
    cluster = background()
    for name in ("orders", "mail", "search"):
        work = cluster.deployment(name, "shop", replicas=1, created=ago(days=30))
        work["status"].update(readyReplicas=0, availableReplicas=0)
        pod = work["pods"][0]
        pod["spec"]["nodeName"] = "n2"
        for condition in pod["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition.update(status="False", lastTransitionTime=ts(ago(minutes=25)))
        pod["status"]["containerStatuses"][0].update(
            ready=False,
            state={
                "terminated": {
                    "exitCode": 255,
                    "reason": "Unknown",
                    "startedAt": ts(ago(days=30)),
                    "finishedAt": ts(ago(minutes=24)),
                }
            },
        )
        cluster.pod_event(
            pod,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            'network for sandbox "1f": plugin type="calico" failed (add): stat '
            "/var/lib/calico/nodename: no such file or directory: check that the calico/node "
            "container is running",
            ago(seconds=20),
            ago(minutes=24),
            count=110,
        )
    report = look(cluster)
    assert report.symptoms[0].title.endswith("do not start on n2: the network agent is away")
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1
    assert any("calico/node container is running" in f.claim for f in report.symptoms[0].findings)
    assert not sure(report), "the node is not new"


def test_the_title_quotes_what_the_network_plugin_says() -> None:
    cluster = background()
    for name in ("orders", "mail"):
        pod = cluster.deployment(name, "shop", replicas=1, created=ago(minutes=9))["pods"][0]
        pod["spec"]["nodeName"] = "n2"
        cluster.waiting(pod, "ContainerCreating")
        cluster.pod_event(
            pod,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            'network for sandbox "1f": plugin type="calico" failed (add): error getting '
            "ClusterInformation: connection is unauthorized: Unauthorized",
            ago(seconds=20),
            ago(minutes=8),
            count=30,
        )
    assert first(cluster) == (
        "pods of mail and orders do not start on n2: error getting ClusterInformation: connection "
        "is unauthorized: Unauthorized"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (
            '[failed to "KillContainer" for "app" with KillContainerError: "context deadline '
            'exceeded", ',
            "]",
        ),
    ],
)
def test_why_a_pod_does_not_end_is_in_the_title(before: str, after: str) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["deletionTimestamp"] = ts(ago(minutes=9))
    cluster.pod_event(
        pod,
        "FailedKillPod",
        f'error killing pod: {before}failed to "KillContainer" with KillContainerError: "rpc error: '
        f'code = Unknown desc = failed to kill container: device or resource busy"{after}',
        ago(seconds=20),
        ago(minutes=8),
        count=9,
    )
    assert first(cluster) == (
        "odd is stuck terminating: failed to kill container: device or resource busy"
    )


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("code = Aborted desc = an operation with the given Volume ID 7 already exists", "pending"),
        ("code = Internal desc = rbd image a/b is still being used", "in-use"),
        ("no words that are known", ""),
    ],
)
def test_an_attempt_that_runs_is_no_volume_in_use(message: str, problem: str) -> None:
    assert mount_problem(message)[0] == problem


def test_the_innermost_sentence_of_a_message_is_kept() -> None:
    assert inner_words(
        'resize volume "pvc-1" by resizer "csi.example.org" failed: rpc error: code = Internal '
        'desc = Could not resize: rpc error: code = Internal desc = wait 6 hours"'
    ) == ("wait 6 hours")
    assert inner_words("no such host") == "no such host"


def test_the_deciding_end_of_a_long_message_is_kept() -> None:
    text = "failed to create container for " + "x y " * 100 + ": cannot allocate memory"
    assert len(quoted(text)) <= QUOTE + 3
    assert quoted(text).endswith("cannot allocate memory")
    one, other = "mkdir /a/pod3f69a0b1: no space", "mkdir /a/pod3f69a0b2: no space"
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("mode", "nodes", "cause"),
    [
        ("ReadWriteOnce", ["away"], "multi-attach"),
        ("ReadWriteOncePod", ["away"], "multi-attach"),
        ("ReadWriteMany", ["away"], "timeout"),
        ("ReadWriteOnce", ["away", ""], "timeout"),
        ("ReadWriteOnce", [], "timeout"),
    ],
)
def test_a_volume_for_one_node_that_another_node_holds_after_the_event_that_said_so(
    mode: str, nodes: list[str], cause: str
) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["creationTimestamp"] = ts(ago(hours=2))
    claim = {"persistentVolumeClaim": {"claimName": "data"}, "name": "data"}
    pod["spec"]["volumes"] = [claim]
    cluster.waiting(pod, "ContainerCreating")
    spec = {"accessModes": [mode], "volumeName": "pvc-1"}
    cluster.add("PersistentVolumeClaim", {"metadata": meta("data", "shop"), "spec": spec})
    volume = {"accessModes": [mode], "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "v"}}
    cluster.add("PersistentVolume", {"metadata": meta("pvc-1"), "spec": volume})
    for node in nodes:
        row = {
            "attacher": "ebs.csi.aws.com",
            "nodeName": node or pod["spec"]["nodeName"],
            "source": {"persistentVolumeName": "pvc-1"},
        }
        attached = {"metadata": meta(f"csi-{node}"), "spec": row, "status": {"attached": True}}
        cluster.add("VolumeAttachment", attached)
    message = (
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], "
        "failed to process volumes=[]: timed out waiting for the condition"
    )
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    times = ago(minutes=1), ago(minutes=50)
    cluster.event("Pod", "shop", name, "FailedMount", message, *times, count=20, uid_=uid)
    found = about(look(cluster), "pod-volume-failed", "odd")
    assert found.facts["cause"] == cause
    assert ("away holds it" in found.claim) is (cause == "multi-attach")


def test_the_names_in_a_message_about_the_user_are_not_said_twice() -> None:
    cluster = background()
    pod = pod_of(cluster)
    said = "container has runAsNonRoot and image will run as root"
    reason = "CreateContainerConfigError"
    cluster.waiting(pod, reason, f'{said} (pod: "odd_shop(4f9c)", container: app)')
    assert first(cluster).endswith(f"cannot be configured: {said}")
