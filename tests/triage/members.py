"""Every member of every family of everyday faults, each as objects of a small cluster.

`python -m tests.triage.members` prints the first line that triage gives for each, and the first
runbook; `--table` the families. The words that decide, and the runbook, are asserted in
`test_members.py`; `tests.triage.elsewhere.real_server` plays each on a real API server.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import MATCHER, lease, look, pending, running_init, service

Build = Callable[[Cluster], None]


class Member(msgspec.Struct, frozen=True):
    """`says`: words of the first line, all of them. `guide`: the runbook that comes first.
    `on_server`: the words on a real API server, where it writes another message itself."""

    family: str
    name: str
    build: Build
    says: tuple[str, ...]
    guide: str = ""
    on_server: tuple[str, ...] = ()


MEMBERS: list[Member] = []


def member(family: str, name: str, *says: str, guide: str = "") -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        MEMBERS.append(Member(family, name, build, says, guide))
        return build

    return add


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
    if kind == "DaemonSet":
        target["status"].update(desiredNumberScheduled=3, currentNumberScheduled=2, numberReady=2)
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


# -- scheduling


def unplaced(cluster: Cluster, message: str, **spec: Any) -> dict[str, Any]:
    pod = pending(cluster, "web-1", since=ago(minutes=20))
    pod["spec"].update(spec)
    pod["status"]["conditions"][0]["message"] = message
    cluster.pod_event(pod, "FailedScheduling", message, ago(minutes=1), ago(minutes=20), count=9)
    return pod


@member("scheduling", "taint without its key", "dedicated=batch", guide="taint-not-tolerated")
def _(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node["spec"]["taints"] = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]
    unplaced(cluster, "0/3 nodes are available: 3 node(s) had untolerated taint(s).")


@member("scheduling", "Karpenter and scheduler", "insufficient memory", guide="not-enough-capacity")
def _(cluster: Cluster) -> None:
    pod = unplaced(cluster, "0/3 nodes are available: 3 Insufficient memory.")
    said = 'Failed to schedule pod, incompatible with nodepool "default", did not tolerate a=b'
    cluster.pod_event(pod, "FailedScheduling", said, ago(seconds=30), ago(minutes=20), count=4)


def asks(cluster: Cluster, message: str, resource: str, amount: str) -> None:
    container = {
        "name": "main",
        "image": "app:1",
        "resources": {"requests": {resource: amount}},
    }
    unplaced(cluster, message, containers=[container])


@member(
    "scheduling", "no scheduler at work", "no scheduler has reported", guide="scheduler-not-working"
)
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


def unmounted(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "db-0", node="n1", since=ago(minutes=20))
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.pod_event(pod, reason, message, ago(minutes=1), ago(minutes=20), count=9)


@member(
    "volumes",
    "mounts of several owners",
    "volumes of 2 pods do not attach or mount",
    "access denied by server",
    guide="mount-refused",
)
def _(cluster: Cluster) -> None:
    said = 'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32, mount.nfs: access denied by server while mounting nfs:/x'
    for name in ("db-0", "files-0"):
        pod = pending(cluster, name, node="n1", since=ago(minutes=20))
        pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        cluster.pod_event(pod, "FailedMount", said, ago(minutes=1), ago(minutes=20), count=9)


@member(
    "start",
    "no address for pods of several nodes",
    "pods of db-0, files-0 and web-0",
    "no pod addresses left",
    guide="pod-ip-exhaustion",
)
def _(cluster: Cluster) -> None:
    said = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1f": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    for name, node in (("db-0", "n1"), ("files-0", "n2"), ("web-0", "n3")):
        pod = pending(cluster, name, node=node, since=ago(minutes=20))
        cluster.pod_event(
            pod, "FailedCreatePodSandBox", said, ago(minutes=1), ago(minutes=20), count=9
        )


@member("volumes", "resize pending", "10Gi of 20Gi", "file system", guide="volume-full")
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


# -- certificates


def certified(cluster: Cluster, **given: Any) -> None:
    """A Certificate that an Ingress uses, its issuer and a challenge: each `given` by part, or
    healthy."""
    told = {"type": "Ready", "status": "True", "lastTransitionTime": ts(ago(minutes=40))}
    dates = {"notAfter": ts(ago(days=-40)), "renewalTime": ts(ago(days=-10))}
    conditions = [told | each for each in given.get("conditions", [{}])]
    names = {"secretName": "web-tls", "dnsNames": ["*.web.example"], "issuerRef": {"name": "le"}}
    cluster.add(
        "Certificate",
        {
            "metadata": meta("web-tls", "shop"),
            "spec": names,
            "status": {**dates, "conditions": conditions, **given.get("status", {})},
        },
    )
    if given.get("issuer", {}) is not None:
        issuer = {"metadata": meta("le", "shop")}
        cluster.add("Issuer", issuer | {"status": {"conditions": [told | given.get("issuer", {})]}})
    if "challenge" in given:
        cluster.add(
            "Challenge",
            {
                "metadata": meta("web-tls-1-4-7", "shop"),
                "spec": {"dnsName": "web.example", "wildcard": True, "type": "DNS-01"},
                "status": given["challenge"],
            },
        )
    ingress = {"metadata": meta("web", "shop"), "spec": {"tls": [{"secretName": "web-tls"}]}}
    served = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    cluster.add("Ingress", {**ingress, "status": served})
    cluster.add("Secret", {"metadata": meta("web-tls", "shop")})


# -- balancers


def balanced(cluster: Cluster, age: int = 30, **given: Any) -> None:
    """A Service of type LoadBalancer without an address, of `age` minutes; `given`: what is there
    that may give one."""
    at = meta("front", "shop", created=ago(minutes=age))
    spec = {"type": "LoadBalancer", "selector": {"app": "calm"}, "ports": [{"port": 80}]}
    cluster.add("Service", {"metadata": at, "spec": spec, "status": {"loadBalancer": {}}})
    for node in cluster.nodes:
        node["spec"]["providerID"] = given.get("provider", "")
    if "image" in given:
        container = {"name": "main", "image": given["image"]}
        cluster.deployment("giver", "lb", replicas=1, spec={"containers": [container]})
    if "event" in given:
        reason, said = given["event"]
        cluster.event("Service", "shop", "front", reason, said, ago(minutes=1), ago(minutes=age))


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


# -- start of containers


def waits(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": reason,
        "message": message,
    }


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


@member("start", "resize infeasible", "resize cannot be done", "64000", guide="not-enough-capacity")
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


# -- Services and routes


def served(
    cluster: Cluster, selector: dict[str, str] | None = None, ready: bool = True, **spec: Any
) -> dict[str, Any]:
    work = cluster.deployment("api", "shop", replicas=2)
    for pod in (work, *work["pods"]):
        container = (pod["spec"].get("template") or pod)["spec"]["containers"][0]
        container["ports"] = [{"name": "http", "containerPort": 8080}]
    ports = {"ports": [{"port": 80, "targetPort": 8080}]}
    service(cluster, "api", "shop", selector or {"app": "api"}, ready=ready, **ports | spec)
    return work


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
    "workloads",
    "scaled to zero without a Service",
    "was scaled to 0 by kubectl-scale",
    guide="workload-scaled-to-zero",
)
def _(cluster: Cluster) -> None:
    work = cluster.deployment("queue", "shop", replicas=0, created=ago(days=30))
    work["metadata"]["managedFields"] = [
        managed("kubectl-scale", ago(minutes=9), {"f:spec": {"f:replicas": {}}}, "scale")
    ]


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


@member("services", "endpoints not ready", "readiness", "503", guide="readiness-probe-fails")
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
    protocol: str = "HTTP",
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
        f"{protocol}Route",
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


@member("workloads", "Job suspended", "load", "suspended", guide="job-failed")
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
    guide="not-enough-capacity",
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


def condition(
    cluster: Cluster, type_: str, status: str, reason: str, message: str, *, minutes: int
) -> None:
    """Adds a condition to the first node, `minutes` old."""
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": ts(ago(minutes=minutes)),
        }
    )


def unready(cluster: Cluster, status: str, reason: str, message: str) -> None:
    cluster.not_ready(cluster.nodes[0], ago(minutes=12), status, reason, message)


def away(cluster: Cluster, name: str) -> None:
    lease(cluster, name, ago(minutes=9))
    for other in ("kube-scheduler", "kube-controller-manager"):
        if other != name:
            lease(cluster, other, ago(seconds=1))


def static(cluster: Cluster, component: str, message: str = "") -> None:
    node = cluster.node("cp")
    node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
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


@member("nodes", "etcd learner", "EtcdIsVoter", guide="etcd-member-not-voting")
def _(cluster: Cluster) -> None:
    condition(
        cluster,
        "EtcdIsVoter",
        "False",
        "MemberIsLearner",
        "Node has not been promoted to voting member of the etcd cluster",
        minutes=40,
    )


@member("nodes", "preemption announced", "preempted", guide="node-preempted")
def _(cluster: Cluster) -> None:
    condition(
        cluster,
        "VMEventScheduled",
        "True",
        "VMEventScheduled",
        "Preempt Scheduled: Mon, 16 Mar 2026 09:28:00 GMT",
        minutes=1,
    )


@member("nodes", "clock", "clock", guide="clock-skew")
def _(cluster: Cluster) -> None:
    condition(cluster, "ClockSkew", "True", "NTPIsDown", "clock is off by 42 s", minutes=40)


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


@member("deletions", "CRD", "objects of its kind remain", guide="finalizer-blocks-deletion")
def _(cluster: Cluster) -> None:
    at = ts(ago(minutes=30))
    finalizers = ["customresourcecleanup.apiextensions.k8s.io"]
    named = meta("queues.mq.example.com", deletionTimestamp=at, finalizers=finalizers)
    cluster.add("CustomResourceDefinition", {"metadata": named})


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


_BUILDERS: Mapping[str, Callable[..., Any]] = {
    build.__name__: build
    for build in (
        aggregated,
        asks,
        away,
        balanced,
        calls,
        certified,
        cronjob,
        deleting,
        ended,
        ending,
        gatewayed,
        job,
        misfit,
        probed,
        quota,
        refused,
        routed,
        scaler,
        served,
        static,
        unbound,
        unmounted,
        unplaced,
        unpulled,
        unready,
        waits,
    )
}


def _read() -> Iterator[Member]:
    """The members of the table beside this file."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    for row in yaml.safe_load(text):
        build = partial(_build, row["build"], row.get("args", ()), row.get("with", {}))
        says = tuple(row["says"])
        there = tuple(row.get("on_server", ()))
        yield Member(row["family"], row["name"], build, says, row.get("guide", ""), there)


def _build(
    name: str, arguments: Sequence[Any], fields: Mapping[str, Any], cluster: Cluster
) -> None:
    _BUILDERS[name](cluster, *arguments, **fields)


MEMBERS.extend(_read())


def table() -> Iterator[str]:
    """The families as a Markdown table: members, how many are told in memory, first runbooks."""
    yield "| family | members | told | first runbook |"
    yield "|---|---|---|---|"
    families: dict[str, list[Member]] = {}
    for one in MEMBERS:
        families.setdefault(one.family, []).append(one)
    for family, members in families.items():
        found = [lines(one) for one in members]
        told = sum(_is_told(one, *each) for one, each in zip(members, found, strict=True))
        names = ", ".join(one.name for one in members)
        pages = ", ".join(sorted({guide or "none" for _, guide in found}))
        yield f"| {family} | {names} | {told} of {len(members)} | {pages} |"


def _is_told(one: Member, line: str, guide: str) -> bool:
    return all(word in line for word in one.says) and one.guide in ("", guide)


def _rows() -> Iterator[str]:
    for one in MEMBERS:
        line, guide = lines(one)
        state = "right" if _is_told(one, line, guide) else "half" if line else "silent"
        yield f"{one.family:16} {one.name:32} {state:7} {guide:32} {line}"[:230]


if __name__ == "__main__":
    print(*(table() if "--table" in sys.argv else _rows()), sep="\n")
