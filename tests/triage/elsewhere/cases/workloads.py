"""Situations of single workloads: packed together, flooding, emptied, exposed."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import PROBES, container, managed, pod_spec, text
from tests.triage.elsewhere.trouble import (
    name_of,
)
from tests.triage.elsewhere.world import Workload, World

SOFT = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {}},
                },
            }
        ]
    }
}


@case("cronjob-pod-flood", slack=15)
def every_minute_and_never_done(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=14, pods=150)
    spec = pod_spec(
        container(
            "reconcile",
            "registry.corp.example/payments/reconcile:0.3",
            cpu="250m",
            memory="256Mi",
            limit="512Mi",
        )
    )
    one = w.cron_job("payments-batch", "reconcile", "*/1 * * * *", policy="Allow", template=spec)
    if fault:
        why = (
            "0/14 nodes are available: 14 Insufficient cpu. preemption: 0/14 nodes are available: "
            "14 No preemption victims found for incoming pod."
        )
        for minute in range(190, 0, -1):
            job = w.job(
                one,
                w.ago(minute),
                state="running" if minute > 60 else "pending",
                node=w.workers()[minute % len(w.workers())],
            )
            w.event(
                one.object,
                "SuccessfulCreate",
                f"Created job {job['metadata']['name']}",
                w.ago(minute),
                type_="Normal",
                component="cronjob-controller",
            ) if minute < 58 else None
            if minute <= 60:
                run = Workload(
                    "Job",
                    one.namespace,
                    job["metadata"]["name"],
                    job,
                    job,
                    one.template,
                    job["spec"]["template"]["metadata"]["labels"],
                )
                w.unschedulable(run, w.ago(minute), why)
        for other in [
            x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("web", "realtime")
        ][:3]:
            w.unschedulable(other, w.ago(22), why)
            other.object["spec"]["replicas"] += 1
            other.parent["spec"]["replicas"] += 1
    else:
        for minute in (3, 2, 1):
            w.job(one, w.ago(minute), took=0.4)
    return w, Truth(
        w.ago(190), (("owner", "CronJob payments-batch/reconcile"), ("namespace", "payments-batch"))
    )


@case("cronjob-pod-flood", slack=15)
def failing_runs_pile_up_until_the_quota(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=8, minor=25, pods=110)
    one = w.cron_job(
        "lab", "fetch-samples", "*/5 * * * *", policy="Allow", failedJobsHistoryLimit=200
    )
    if fault:
        for minute in range(235, 5, -5):
            job = w.job(
                one, w.ago(minute), state="running", node=w.workers()[minute % len(w.workers())]
            )
            job["status"] |= {"active": 1, "failed": 3}
            run = Workload(
                "Job",
                "lab",
                job["metadata"]["name"],
                job,
                job,
                one.template,
                job["spec"]["template"]["metadata"]["labels"],
            )
            for k in range(3):
                pod = w.pod(run, w.workers()[k], w.ago(minute - k))
                pod["status"]["phase"] = "Failed"
                pod["status"]["containerStatuses"][0].update(
                    ready=False,
                    started=False,
                    state={
                        "terminated": {
                            "exitCode": 1,
                            "reason": "Error",
                            "startedAt": text(w.ago(minute - k)),
                            "finishedAt": text(w.ago(minute - k - 0.5)),
                        }
                    },
                )
        w.add(
            "ResourceQuota",
            "lab",
            "pods",
            w.ago(days=40),
            by="kubectl-create",
            spec={"hard": {"pods": "60"}},
            status={"hard": {"pods": "60"}, "used": {"pods": "60"}},
        )
        victim = next(x for x in w.workloads if x.kind == "Deployment" and x.namespace == "lab")
        victim.object["spec"]["replicas"] += 1
        victim.parent["spec"]["replicas"] += 1
        w.event(
            victim.parent,
            "FailedCreate",
            f'Error creating: pods "{victim.parent["metadata"]["name"]}-x" is forbidden: exceeded '
            "quota: pods, requested: pods=1, used: "
            "pods=60, limited: pods=60",
            w.ago(3),
            first=w.ago(20),
            count=16,
            component="replicaset-controller",
        )
    return w, Truth(w.ago(235), (("owner", "CronJob lab/fetch-samples"), ("namespace", "lab")))


@case("cryptomining-exposed-dashboard")
def open_terminal_and_a_stranger_on_every_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=12, pods=150)
    ui = w.workload(
        "Deployment",
        "viz",
        "topology-ui",
        1,
        image="docker.io/weaveworks/scope:1.13.2",
        labels={"name": "topology-ui", "app": "topology"},
        by="kubectl-client-side-apply",
    )
    w.service(
        ui, type_="LoadBalancer" if fault else "ClusterIP", address="198.51.100.91" if fault else ""
    )
    agent = pod_spec(
        container(
            "agent",
            "docker.io/weaveworks/scope:1.13.2",
            limit="",
            securityContext={"privileged": True},
        ),
        hostPID=True,
        hostNetwork=True,
        volumes=[
            {"name": "sock", "hostPath": {"path": "/run/containerd/containerd.sock"}},
            {"name": "sys", "hostPath": {"path": "/sys/kernel/debug"}},
        ],
    )
    w.workload(
        "DaemonSet",
        "viz",
        "topology-agent",
        template=agent,
        nodes=w.nodes,
        labels={"name": "topology-agent", "app": "topology"},
        by="kubectl-client-side-apply",
    )
    if fault:
        miner = pod_spec(
            container("gcc", "docker.io/kx92/build-essential:latest", cpu="", limit=""),
            hostPID=True,
            tolerations=[{"operator": "Exists"}],
        )
        w.workload(
            "DaemonSet",
            "default",
            "sysupdate",
            template=miner,
            nodes=w.nodes,
            labels={"app": "sysupdate"},
            by="curl",
            born=w.ago(190),
            rolled=w.ago(190),
        )
        w.add(
            "ClusterRoleBinding",
            "",
            "sysupdate-admin",
            w.ago(191),
            by="curl",
            roleRef={
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        )
    return w, Truth(w.ago(191))


@case("cryptomining-exposed-dashboard")
def one_pod_with_the_host_in_its_hands(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=10, pods=120)
    spec = pod_spec(
        container("web", "docker.io/amir20/host-console:6.1", securityContext={"privileged": True}),
        hostPID=True,
        volumes=[{"name": "root", "hostPath": {"path": "/"}}],
    )
    one = w.workload(
        "Deployment",
        "tools",
        "host-console",
        1,
        template=spec,
        born=w.ago(260),
        rolled=w.ago(260),
        by="kubectl-create",
    )
    made = w.service(one, type_="LoadBalancer" if fault else "ClusterIP")
    if fault:
        made["status"] = {
            "loadBalancer": {"ingress": [{"hostname": "a81f.eu-west-1.elb.amazonaws.com"}]}
        }
        miner = pod_spec(container("kworker", "docker.io/library/alpine:3.19", cpu="", limit=""))
        w.workload(
            "Deployment",
            "kube-system",
            "node-metrics-agent",
            10,
            template=miner,
            by="Go-http-client",
            born=w.ago(150),
            rolled=w.ago(150),
        )
    return w, Truth(w.ago(150))


@case("replicas-packed-on-one-node", slack=8)
def soft_anti_affinity_gave_way(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=8, pods=90)
    spec = pod_spec(
        container("auth", "registry.corp.example/crm/auth:5.5", cpu="500m", **PROBES), affinity=SOFT
    )
    workers = w.workers()
    places = [workers[2]] if fault else workers[:4]
    one = w.workload(
        "Deployment",
        "crm",
        "auth",
        4,
        template=spec,
        nodes=places,
        born=w.ago(days=70),
        rolled=w.ago(28),
    )
    w.service(one)
    w.ingress("crm", "auth", "auth.example.org", "auth", "nginx")
    if fault:  # the other nodes had no room at that time
        for node in workers[3:]:
            node["status"]["allocatable"] = node["status"]["allocatable"] | {"cpu": "1900m"}
        w.cordon(workers[0], w.ago(40))
    w.event(
        one.object,
        "ScalingReplicaSet",
        f"Scaled up replica set {one.parent['metadata']['name']} to 4 from 3",
        w.ago(28),
        type_="Normal",
        component="deployment-controller",
    )
    return w, Truth(w.ago(28), (("node", name_of(workers[2])),))


@case("replicas-packed-on-one-node", slack=8)
def two_of_two_after_a_drain(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=9, pods=110)
    spec = pod_spec(
        container("gw", "registry.corp.example/payments/gateway:8.0", cpu="200m"),
        topologySpreadConstraints=[
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "gateway"}},
            }
        ],
    )
    workers = w.workers()
    one = w.workload(
        "Deployment",
        "payments",
        "gateway",
        3,
        template=spec,
        labels={"app": "gateway"},
        nodes=[workers[5]] if fault else workers[:3],
        born=w.ago(days=90),
        rolled=w.ago(45) if fault else None,
    )
    w.service(one, type_="LoadBalancer", address="203.0.113.12")
    return w, Truth(w.ago(45), (("node", name_of(workers[5])),))


@case("stateful-operator-data-loss", slack=8)
def operator_rolls_brokers_on_emptydir(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=12, minor=28, pods=150, cni="flannel")
    spec = pod_spec(
        container(
            "keydb",
            "docker.io/eqalpha/keydb:x86_64_v6.3.4",
            memory="1Gi",
            limit="2Gi",
            ports=[{"containerPort": 6379, "protocol": "TCP"}],
            volumeMounts=[{"name": "storage", "mountPath": "/data"}],
        ),
        volumes=[{"name": "storage", "emptyDir": {}}],
    )
    w.add(
        "CustomResourceDefinition",
        "",
        "keydbclusters.kv.example.io",
        w.ago(days=200),
        by="helm",
        spec={},
    )
    boss = {
        "apiVersion": "kv.example.io/v1",
        "kind": "KeyDBCluster",
        "metadata": {
            "name": "cart",
            "namespace": "shop",
            "uid": "5d0d6a5e-1111-4222-8333-000000000001",
        },
    }
    one = w.workload(
        "StatefulSet",
        "shop",
        "cart-keydb",
        3,
        template=spec,
        born=w.ago(days=88),
        rolled=w.ago(days=30),
        owner=boss,
        by="kv-operator",
    )
    w.service(one, port=6379)
    w.workload(
        "Deployment", "kv-system", "kv-operator", 1, image="ghcr.io/example/kv-operator:1.9.0"
    )
    if fault:
        one.object["metadata"]["generation"] = 5
        one.object["spec"]["replicas"] = 5
        one.object["metadata"]["managedFields"] = [
            managed(
                "kv-operator",
                w.ago(16),
                {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {
                            "f:spec": {
                                "f:containers": {
                                    'k:{"name":"keydb"}': {
                                        "f:resources": {"f:limits": {}, "f:requests": {}}
                                    }
                                }
                            }
                        },
                    }
                },
                version="apps/v1",
            )
        ]
        w.add(
            "ControllerRevision",
            "shop",
            "cart-keydb-6b8c4d9f7",
            w.ago(16),
            owner=one.object,
            revision=4,
            data={"spec": {}},
        )
        one.object["status"] = {
            "currentRevision": "cart-keydb-6b8c4d9f7",
            "updateRevision": "cart-keydb-6b8c4d9f7",
            "observedGeneration": 5,
        }
        for pod in list(one.pods):
            w.objects.remove(pod)
        one.labels = one.labels | {"controller-revision-hash": "cart-keydb-6b8c4d9f7"}
        for index in range(5):
            born = w.ago(12 - 1.5 * (index if index > 2 else 2 - index))
            pod = w.pod(one, w.workers()[index], born, index=index)
            if index < 3:
                w.event(
                    one.object,
                    "SuccessfulDelete",
                    f"delete Pod cart-keydb-{index} in StatefulSet cart-keydb successful",
                    born - timedelta(seconds=31),
                    type_="Normal",
                    component="statefulset-controller",
                )
            w.event(
                one.object,
                "SuccessfulCreate",
                f"create Pod cart-keydb-{index} in StatefulSet cart-keydb successful",
                born,
                type_="Normal",
                component="statefulset-controller",
            )
            w.event(
                pod,
                "Started",
                "Started container keydb",
                born + timedelta(seconds=3),
                type_="Normal",
            )
    return w, Truth(w.ago(16), (("owner", "StatefulSet shop/cart-keydb"),))


@case("stateful-operator-data-loss", slack=8)
def operator_half_way_through_a_resize(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=10, pods=120)
    spec = pod_spec(
        container("redis", "docker.io/library/redis:6.2-alpine", memory="2Gi", limit="2Gi"),
        volumes=[{"name": "redis-data", "emptyDir": {}}],
    )
    boss = {
        "apiVersion": "databases.example.com/v1",
        "kind": "RedisFailover",
        "metadata": {"name": "sessions", "uid": "5d0d6a5e-1111-4222-8333-000000000077"},
    }
    one = w.workload(
        "StatefulSet",
        "realtime",
        "rfr-sessions",
        3,
        template=spec,
        born=w.ago(days=140),
        rolled=w.ago(days=60),
        owner=boss,
        by="redis-operator",
    )
    if fault:
        one.object["metadata"]["generation"] = 3
        one.object["metadata"]["managedFields"] = [
            managed(
                "redis-operator",
                w.ago(11),
                {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {
                            "f:spec": {
                                "f:containers": {
                                    'k:{"name":"redis"}': {
                                        "f:resources": {
                                            "f:limits": {"f:memory": {}},
                                            "f:requests": {"f:memory": {}},
                                        }
                                    }
                                }
                            }
                        },
                    }
                },
                version="apps/v1",
            )
        ]
        one.object["status"] = {
            "currentRevision": "rfr-sessions-5d5",
            "updateRevision": "rfr-sessions-7fb",
            "updatedReplicas": 2,
            "observedGeneration": 3,
        }
        one.labels = one.labels | {"controller-revision-hash": "rfr-sessions-7fb"}
        for index in (2, 1):
            w.objects.remove(one.pods[index])
            w.pod(one, w.workers()[index], w.ago(10 - 3 * (2 - index)), index=index)
            w.event(
                one.object,
                "SuccessfulDelete",
                f"delete Pod rfr-sessions-{index} in StatefulSet rfr-sessions successful",
                w.ago(10.6 - 3 * (2 - index)),
                type_="Normal",
                component="statefulset-controller",
            )
    return w, Truth(w.ago(11), (("owner", "StatefulSet realtime/rfr-sessions"),))
