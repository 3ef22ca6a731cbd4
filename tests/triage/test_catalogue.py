"""One small cluster for each mechanism of the catalogue that the API shows: the rule that must
speak, and its facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from triage.engine import triage_once
from triage.facts.finding import Finding, Report, Severity


def background(nodes: int = 9) -> Cluster:
    cluster = Cluster(nodes)
    for namespace in ("shop", "billing", "search"):
        for name in ("web", "api", "worker"):
            cluster.deployment(name, namespace, replicas=4)
    return cluster


def look(cluster: Cluster) -> Report:
    return triage_once(cluster.store(), NOW, {})


def one(report: Report, rule: str) -> Finding:
    found = [f for f in report.findings if f.rule == rule]
    assert len(found) == 1, [f.id for f in report.findings]
    return found[0]


def loud(report: Report) -> set[str]:
    return {f.rule for f in report.findings if f.severity is not Severity.INFO}


def service(
    cluster: Cluster,
    name: str,
    namespace: str,
    selector: dict[str, str],
    port: int = 80,
    ready: bool = True,
    type_: str = "ClusterIP",
    address: str = "",
    **spec: Any,
) -> dict[str, Any]:
    raw = cluster.add(
        "Service",
        {
            "metadata": meta(name, namespace),
            "spec": {
                "type": type_,
                "selector": selector,
                "clusterIP": "10.2.0.9",
                "ports": [{"port": port}],
                **spec,
            },
            "status": {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {},
        },
    )
    pods = [
        r
        for k, r in cluster.raw
        if k == "Pod"
        and r["metadata"]["namespace"] == namespace
        and all(r["metadata"]["labels"].get(k2) == v for k2, v in selector.items())
    ]
    cluster.add(
        "EndpointSlice",
        {
            "metadata": meta(f"{name}-x", namespace, labels={"kubernetes.io/service-name": name}),
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": [p["status"]["podIP"]],
                    "nodeName": p["spec"]["nodeName"],
                    "conditions": {"ready": ready},
                    "targetRef": {
                        "kind": "Pod",
                        "namespace": namespace,
                        "name": p["metadata"]["name"],
                    },
                }
                for p in pods
            ],
        },
    )
    return raw


def test_runtime_crash_restarts_pods_of_many_owners_on_one_node() -> None:
    cluster = background()
    on = [r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n3"]
    for number, pod in enumerate(on):
        cluster.ended(
            pod, ago(minutes=12, seconds=number * 7), code=255, reason="ContainerStatusUnknown"
        )
        cluster.event(
            "Pod",
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            ago(minutes=11),
            type_="Normal",
        )
    cluster.event(
        "Node",
        "",
        "n3",
        "SystemOOM",
        "System OOM encountered, victim process: dockerd, pid: 977",
        ago(minutes=12, seconds=40),
    )
    cluster.not_ready(
        cluster.nodes[2],
        ago(minutes=11),
        "False",
        "KubeletNotReady",
        "container runtime is down, PLEG is not healthy: pleg was last seen active 3m5s ago",
    )
    report = look(cluster)
    node = one(report, "node-not-ready")
    assert (node.facts["cause"], node.facts["causes"]) == ("runtime-down", ("runtime-down", "pleg"))
    assert one(report, "restarts-together-on-node").facts["owners"] == len(
        {p["metadata"]["ownerReferences"][0]["uid"] for p in on}
    )
    assert one(report, "sandboxes-recreated-on-node").facts["pods"] == len(on)
    assert one(report, "node-system-oom").facts["victim_runtime"] is True
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_replicas_on_one_node_against_a_preference() -> None:
    cluster = background()
    soft = {
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100}]
            }
        }
    }
    packed = cluster.deployment("identity", "core", replicas=3, spec=soft)
    for pod in packed["pods"]:
        pod["spec"]["nodeName"] = "n7"
    finding = one(look(cluster), "replicas-on-one-node")
    assert finding.severity is Severity.WARNING
    assert (
        finding.facts["node"],
        finding.facts["replicas"],
        finding.facts["preferred"],
        finding.facts["other_nodes"],
    ) == (
        "n7",
        3,
        True,
        8,
    )
    del packed["spec"]["template"]["spec"]["affinity"]
    assert one(look(cluster), "replicas-on-one-node").severity is Severity.INFO
    packed["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    assert "replicas-on-one-node" not in {f.rule for f in look(cluster).findings}


def test_load_balancer_rewritten_again_and_again_while_all_inside_is_well() -> None:
    cluster = background()
    service(cluster, "edge", "shop", {"app": "web"}, type_="LoadBalancer", address="203.0.113.9")
    cluster.event(
        "Service",
        "shop",
        "edge",
        "UpdatedLoadBalancer",
        "Updated load balancer with new hosts",
        ago(minutes=2),
        first=ago(minutes=40),
        count=19,
        type_="Normal",
    )
    assert one(look(cluster), "load-balancer-churn").facts["count"] == 19


def test_secret_that_does_not_exist_in_many_namespaces() -> None:
    cluster = background()
    cluster.add(
        "Secret",
        {
            "metadata": meta(
                "web-credentials",
                "shop",
                created=ago(days=3),
                managedFields=[managed("iam-provider", ago(days=3), {"f:data": {"f:token": {}}})],
            )
        },
    )
    for number, namespace in enumerate(("shop", "billing", "search", "ops")):
        raw = cluster.deployment(
            f"new{number}", namespace, replicas=1, created=ago(minutes=30 - number)
        )
        pod = raw["pods"][0]
        cluster.waiting(pod, "ContainerCreating")
        cluster.event(
            "Pod",
            namespace,
            pod["metadata"]["name"],
            "FailedMount",
            f'MountVolume.SetUp failed for volume "c" : secret "new{number}-credentials" not found',
            ago(minutes=1),
            first=ago(minutes=20),
            count=11,
            uid_=pod["metadata"]["uid"],
        )
    report = look(cluster)
    finding = one(report, "secret-missing-across-namespaces")
    assert (
        finding.facts["namespaces"],
        finding.facts["pods"],
        finding.facts["pattern"],
        finding.facts["supplier"],
        finding.facts["only_new"],
    ) == (4, 4, "*-credentials", "iam-provider", True)
    assert "secret-keys-lost" not in loud(report)
    assert report.symptoms[0].mechanism == "secret-missing-across-namespaces"
    assert len(report.symptoms[0].objects) >= 4


def ingress(cluster: Cluster, replicas: int = 3) -> dict[str, Any]:
    raw = cluster.deployment(
        "front", "edge", replicas=replicas, image="registry.example/team/skipper:v0.21"
    )
    service(
        cluster,
        "front",
        "edge",
        {"app": "front"},
        type_="LoadBalancer",
        address="203.0.113.7",
        ports=[{"port": 80}, {"port": 443}],
    )
    service(cluster, "web", "shop", {"app": "web"})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("web", "shop"),
            "spec": {
                "rules": [
                    {
                        "host": "shop.example",
                        "http": {"paths": [{"backend": {"service": {"name": "web"}}}]},
                    }
                ]
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
        },
    )
    return raw


def test_ingress_controller_killed_for_memory() -> None:
    cluster = background()
    front = ingress(cluster)
    assert loud(look(cluster)) == set()
    for number, pod in enumerate(front["pods"][:2]):
        cluster.ended(pod, ago(minutes=6, seconds=number * 20), reason="OOMKilled", restarts=3)
    finding = one(look(cluster), "ingress-degraded")
    assert finding.severity is Severity.CRITICAL
    assert (
        finding.facts["oom_killed"],
        finding.facts["hosts"],
        finding.facts["backends_ready"],
        finding.facts["limit"],
    ) == (
        2,
        1,
        True,
        "256Mi",
    )


def test_cronjob_floods() -> None:
    cluster = background()
    cron = cluster.add(
        "CronJob",
        {
            "metadata": meta("tick", "batch"),
            "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {}}}},
        },
    )
    healthy = cluster.add(
        "CronJob",
        {
            "metadata": meta("tock", "batch"),
            "spec": {"schedule": "0 * * * *", "concurrencyPolicy": "Forbid"},
        },
    )
    for number in range(25):
        job = cluster.add(
            "Job",
            {
                "metadata": meta(
                    f"tick-{number}", "batch", created=ago(minutes=number), owner=("CronJob", cron)
                ),
                "spec": {},
                "status": {"active": 1, "startTime": ts(ago(minutes=number))},
            },
        )
        for part in range(2):
            job.setdefault("spec", {})["template"] = {
                "metadata": {"labels": {}},
                "spec": {"containers": [{"name": "app", "image": "x"}]},
            }
            cluster.pod(job, created=ago(minutes=number), name=f"tick-{number}-{part}")
    done = cluster.add(
        "Job",
        {
            "metadata": meta("tock-1", "batch", owner=("CronJob", healthy)),
            "status": {
                "succeeded": 1,
                "failed": 2,
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        },
    )
    assert done
    finding = one(look(cluster), "cronjob-flood")
    assert finding.severity is Severity.CRITICAL
    assert (
        finding.facts["jobs"],
        finding.facts["pods"],
        finding.facts["policy"],
        finding.facts["deadline"],
    ) == (25, 50, "Allow", False)


def test_api_server_killed_for_memory_takes_ingress_routes() -> None:
    cluster = background()
    front = ingress(cluster)
    for number in range(3):
        node = cluster.nodes[number]
        pod = cluster.add(
            "Pod",
            {
                "metadata": meta(
                    f"kube-apiserver-{number}",
                    "kube-system",
                    owner=("Node", node),
                    annotations={"kubernetes.io/config.mirror": "x"},
                ),
                "spec": {
                    "nodeName": node["metadata"]["name"],
                    "hostNetwork": True,
                    "containers": [
                        {
                            "name": "kube-apiserver",
                            "image": "registry.k8s.io/kube-apiserver:v1.33.2",
                            "resources": {"limits": {"memory": "2Gi"}},
                        }
                    ],
                },
                "status": {
                    "phase": "Running",
                    "conditions": [
                        {"type": "Ready", "status": "True", "lastTransitionTime": ts(ago(days=3))}
                    ],
                    "containerStatuses": [
                        {"name": "kube-apiserver", "ready": True, "restartCount": 0}
                    ],
                },
            },
        )
        cluster.ended(pod, ago(minutes=9 - number), reason="OOMKilled", restarts=4)
    for pod in front["pods"]:
        cluster.ended(pod, ago(minutes=5), code=1, restarts=1)
    report = look(cluster)
    plane = one(report, "control-plane-degraded")
    assert (plane.severity, plane.facts["component"], plane.facts["oom_killed"]) == (
        Severity.CRITICAL,
        "kube-apiserver",
        3,
    )
    assert (
        one(report, "ingress-degraded").facts["restarted"],
        one(report, "ingress-degraded").facts["oom_killed"],
    ) == (3, 0)


def test_dns_killed_for_memory() -> None:
    cluster = background()
    dns = cluster.deployment(
        "names", "kube-system", replicas=2, image="registry.example/mirror/resolver:1.11"
    )
    service(cluster, "resolver", "kube-system", {"app": "names"}, port=53)
    assert loud(look(cluster)) == set()
    for pod in dns["pods"]:
        cluster.ended(pod, ago(minutes=4), reason="OOMKilled", restarts=6)
    finding = one(look(cluster), "dns-degraded")
    assert (finding.severity, finding.facts["oom_killed"], finding.facts["limit"]) == (
        Severity.CRITICAL,
        2,
        "256Mi",
    )


def test_objects_lost_in_etcd() -> None:
    cluster = Cluster(5)
    cluster.add("Namespace", {"metadata": meta("kube-system", created=ago(minutes=14))})
    assert one(look(cluster), "system-namespaces-recreated").facts["older"] == 5
    orphans = background()
    orphans.raw = [(k, r) for k, r in orphans.raw if k != "ReplicaSet" and k != "Deployment"]
    keep = orphans.deployment("left", "shop", replicas=1)
    assert keep
    finding = one(look(orphans), "owners-missing")
    assert (finding.facts["owners"], finding.facts["objects"], finding.facts["kinds"]) == (
        9,
        36,
        ("ReplicaSet",),
    )
    assert finding.severity is Severity.CRITICAL


def test_etcd_trouble_silences_many_nodes_at_once() -> None:
    cluster = background(10)
    for number in (0, 2, 3, 5, 7, 9):
        cluster.not_ready(cluster.nodes[number], ago(minutes=7, seconds=number * 5))
    cluster.event(
        "Service",
        "shop",
        "web",
        "FailedToUpdateEndpointSlices",
        "Error updating Endpoint Slices for Service shop/web: etcdserver: request timed out",
        ago(minutes=6),
        count=4,
    )
    report = look(cluster)
    assert one(report, "nodes-unknown-together").facts["nodes"] == 6
    assert (
        one(report, "etcd-errors-in-messages").facts["kind"],
        "nodes-failing-in-turn" in loud(report),
    ) == ("timeout", False)
    assert len([f for f in report.findings if f.rule == "node-pressure"]) == 0


def test_new_nodes_with_another_version_fail() -> None:
    cluster = background(8)
    for number in range(3):
        node = cluster.node(f"fresh{number}", kubelet="v1.34.1", created=ago(minutes=45 - number))
        cluster.not_ready(
            node,
            ago(minutes=44 - number),
            "False",
            "KubeletNotReady",
            "container runtime network not ready: "
            "NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns "
            "error: cni plugin not initialized",
        )
    report = look(cluster)
    finding = one(report, "failures-on-new-nodes")
    assert (
        finding.facts["nodes"],
        finding.facts["version"],
        finding.facts["version_differs"],
        finding.facts["by"],
    ) == (
        3,
        "v1.34.1",
        True,
        "kubelet version",
    )
    assert {f.facts["cause"] for f in report.findings if f.rule == "node-not-ready"} == {
        "network-plugin"
    }
    symptom = next(s for s in report.symptoms if s.mechanism == "failures-on-new-nodes")
    assert symptom.shared[0].what == "kubelet version"
    assert any(t.startswith("node created after") for t in symptom.shared[0].tied_with)


def test_runtime_hangs_on_one_node_before_its_conditions_say_so() -> None:
    cluster = background()
    for number, namespace in enumerate(("shop", "billing", "search")):
        raw = cluster.deployment(f"late{number}", namespace, replicas=1, created=ago(minutes=8))
        pod = raw["pods"][0]
        pod["spec"]["nodeName"] = "n4"
        cluster.waiting(pod, "ContainerCreating")
        text = (
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context "
            "deadline exceeded"
            if number
            else (
                'rpc error: code = Unknown desc = failed to reserve sandbox name "late_shop_1": '
                'name "late_shop_1" is reserved for "5ab"'
            )
        )
        cluster.event(
            "Pod",
            namespace,
            pod["metadata"]["name"],
            "FailedCreatePodSandBox",
            text,
            ago(minutes=1),
            first=ago(minutes=6),
            count=5,
        )
    gone = next(r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n4")
    gone["metadata"]["deletionTimestamp"] = ts(ago(minutes=9))
    report = look(cluster)
    stuck = one(report, "pods-stuck-on-node")
    assert (
        stuck.object.name,
        stuck.facts["creating"],
        stuck.facts["terminating"],
        stuck.facts["node_ready"],
    ) == ("n4", 3, 1, True)
    assert {f.facts["cause"] for f in report.findings if f.rule == "pod-sandbox-failed"} == {
        "timeout",
        "name-reserved",
    }


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
        cluster.event(
            "Pod",
            "shop",
            raw["pods"][0]["metadata"]["name"],
            "FailedCreatePodSandBox",
            f"Failed to create pod sandbox: rpc error: code = Unknown desc = {message}",
            ago(seconds=50),
            first=ago(minutes=8),
            count=12,
        )
        # a later Normal event must not hide the cause
        cluster.event(
            "Pod",
            "shop",
            raw["pods"][0]["metadata"]["name"],
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            ago(seconds=20),
            type_="Normal",
        )
    report = look(cluster)
    assert {f.facts["cause"] for f in report.findings if f.rule == "pod-sandbox-failed"} == {cause}
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_volume_that_another_node_holds() -> None:
    cluster = background()
    raw = cluster.deployment(
        "db",
        "shop",
        replicas=1,
        created=ago(minutes=9),
        spec={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]},
    )
    pod = raw["pods"][0]
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data-db-0", "shop"),
            "spec": {"volumeName": "pvc-1", "storageClassName": "fast"},
            "status": {"phase": "Bound"},
        },
    )
    cluster.add(
        "PersistentVolume",
        {
            "metadata": meta("pvc-1"),
            "spec": {
                "csi": {"driver": "ebs.csi.aws.com"},
                "claimRef": {"namespace": "shop", "name": "data-db-0"},
            },
            "status": {"phase": "Bound"},
        },
    )
    cluster.add(
        "VolumeAttachment",
        {
            "metadata": meta("csi-1"),
            "spec": {
                "attacher": "ebs.csi.aws.com",
                "nodeName": "lost-node",
                "source": {"persistentVolumeName": "pvc-1"},
            },
            "status": {"attached": True},
        },
    )
    cluster.waiting(pod, "ContainerCreating")
    cluster.event(
        "Pod",
        "shop",
        pod["metadata"]["name"],
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node '
        "and can't be attached to another",
        ago(minutes=8),
    )
    cluster.event(
        "Pod",
        "shop",
        pod["metadata"]["name"],
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: "
        "timed out waiting for the condition",
        ago(minutes=2),
        count=3,
    )
    report = look(cluster)
    assert (
        one(report, "pod-volume-failed").facts["cause"],
        one(report, "pod-volume-failed").facts["driver"],
    ) == (
        "multi-attach",
        "ebs.csi.aws.com",
    )
    assert one(report, "volume-attachment-failed").facts["node_exists"] is False
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_full_disk_evicts() -> None:
    cluster = background()
    node = cluster.nodes[1]
    for condition in node["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(
                status="True",
                reason="KubeletHasDiskPressure",
                lastTransitionTime=ts(ago(minutes=12)),
            )
    cluster.event(
        "Node",
        "",
        "n2",
        "EvictionThresholdMet",
        "Attempting to reclaim ephemeral-storage",
        ago(minutes=3),
        first=ago(minutes=12),
        count=8,
    )
    cluster.event(
        "Node",
        "",
        "n2",
        "FreeDiskSpaceFailed",
        "Failed to garbage collect required amount of images. Attempted to free 2147483648 bytes, "
        "but only found 0 bytes eligible to free.",
        ago(minutes=4),
    )
    pod = next(r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n2")
    pod["status"].update(
        phase="Failed",
        reason="Evicted",
        message=(
            "The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: "
            "900Mi. "
        ),
        startTime=ts(ago(minutes=11)),
        conditions=[],
        containerStatuses=[],
    )
    report = look(cluster)
    assert (
        one(report, "node-pressure").facts["pressure"],
        one(report, "node-eviction-threshold").facts["resource"],
    ) == (
        "disk",
        "ephemeral-storage",
    )
    assert one(report, "pod-evicted").facts["resource"] == "ephemeral-storage"
    assert one(report, "node-disk-reclaim-failed")


def test_stateful_pods_on_emptydir_after_an_edit() -> None:
    cluster = background()
    spec = {"volumes": [{"name": "data", "emptyDir": {}}]}
    raw = cluster.deployment(
        "cache",
        "shop",
        kind="StatefulSet",
        replicas=3,
        spec=spec,
        managedFields=[
            managed(
                "cache-operator",
                ago(minutes=18),
                {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}},
            ),
        ],
    )
    assert loud(look(cluster)) == set()
    for pod in raw["pods"]:
        pod["metadata"]["creationTimestamp"] = ts(ago(minutes=16))
    finding = one(look(cluster), "stateful-on-emptydir")
    assert (finding.severity, finding.facts["edited_by"], finding.facts["restarted"]) == (
        Severity.WARNING,
        "cache-operator",
        3,
    )


def test_dashboard_with_power_over_nodes_behind_a_public_balancer() -> None:
    cluster = background()
    label = {"metadata": {"labels": {"app": "board"}}}
    board = cluster.deployment("board", "tools", replicas=1)
    agents = cluster.deployment(
        "probe",
        "tools",
        kind="DaemonSet",
        spec={
            "hostPID": True,
            "hostNetwork": True,
            "volumes": [{"name": "s", "hostPath": {"path": "/var/run/docker.sock"}}],
        },
    )
    for raw in (board, agents):
        for pod in raw["pods"]:
            pod["metadata"]["labels"]["app.kubernetes.io/part-of"] = "board"
    assert label
    service(
        cluster, "board", "tools", {"app": "board"}, type_="LoadBalancer", address="198.51.100.4"
    )
    finding = one(look(cluster), "exposed-privileged-workload")
    assert (
        finding.facts["host_pid"],
        finding.facts["host_paths"],
        finding.facts["agents"],
        finding.facts["source_ranges"],
    ) == (
        True,
        ("/var/run/docker.sock",),
        9,
        False,
    )
    assert finding.severity is Severity.WARNING


def test_nodes_rebooting_in_turn_name_the_burner() -> None:
    cluster = background(8)
    burner = cluster.deployment("render", "media", replicas=2)
    burner["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    for index, minutes in ((1, 48), (4, 15)):
        name = cluster.nodes[index]["metadata"]["name"]
        burner["pods"][0 if index == 1 else 1]["spec"]["nodeName"] = name
        cluster.event(
            "Node",
            "",
            name,
            "Rebooted",
            f"Node {name} has been rebooted, boot id: 4a6f",
            ago(minutes=minutes),
        )
    report = look(cluster)
    turn = one(report, "nodes-failing-in-turn")
    assert (turn.facts["reboots"], turn.facts["suspect"], turn.facts["oom"]) == (
        2,
        "Deployment media/render",
        0,
    )
    for node in cluster.nodes:
        node["spec"]["unschedulable"] = True
    assert "nodes-failing-in-turn" not in loud(look(cluster)), (
        "a rolling upgrade cordons before it reboots"
    )


def test_quota_refuses_pods() -> None:
    cluster = background()
    raw = cluster.deployment("api2", "shop", replicas=4)
    raw["set"]["status"]["replicas"] = 2
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("limits", "shop"),
            "status": {"hard": {"pods": "20"}, "used": {"pods": "20"}},
        },
    )
    cluster.event(
        "ReplicaSet",
        "shop",
        raw["set"]["metadata"]["name"],
        "FailedCreate",
        '(combined from similar events): Error creating: pods "x" is forbidden: '
        "exceeded quota: limits, requested: pods=1, used: pods=20, limited: pods=20",
        ago(minutes=2),
        first=ago(minutes=20),
        count=40,
    )
    report = look(cluster)
    assert (
        one(report, "create-failed").facts["cause"],
        one(report, "create-failed").object.kind,
    ) == ("quota", "Deployment")
    assert (
        one(report, "quota-exceeded").facts["resource"],
        one(report, "quota-exceeded").facts["hard"],
    ) == ("pods", "20")
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_webhook_without_backend_blocks_writes() -> None:
    cluster = background()
    cluster.add(
        "ValidatingWebhookConfiguration",
        {
            "metadata": meta("policy"),
            "webhooks": [
                {
                    "name": "check.policy.example",
                    "failurePolicy": "Fail",
                    "clientConfig": {"service": {"namespace": "policy", "name": "hook"}},
                }
            ],
        },
    )
    service(cluster, "web", "shop", {"app": "web"})
    assert one(look(cluster), "webhook-backend-down").facts["service"] == "policy/hook"


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
    assert report.symptoms[0].title == "pods pending: insufficient memory: big, 5 pods"
    assert report.symptoms[0].mechanism == "pod-unschedulable"


def test_edges_fade_into_history() -> None:
    for minutes, severity in ((10, Severity.WARNING), (45, Severity.INFO), (90, None)):
        cluster = background()
        pod = next(r for k, r in cluster.raw if k == "Pod")
        cluster.ended(pod, ago(minutes=minutes), reason="OOMKilled")
        found = [f for f in look(cluster).findings if f.rule == "pod-oom-killed"]
        assert [f.severity for f in found] == ([severity] if severity else [])
        assert all(f.facts["running_again"] for f in found)


def test_running_pod_can_be_crash_looping() -> None:
    cluster = background()
    pod = next(r for k, r in cluster.raw if k == "Pod")
    cluster.ended(pod, ago(minutes=3), code=1, restarts=9, ran=timedelta(seconds=40))
    finding = one(look(cluster), "pod-crash-looping")
    assert (
        finding.facts["restarts"],
        finding.facts["ran_seconds"],
        finding.facts["exit_code"],
    ) == (9, 40, 1)
