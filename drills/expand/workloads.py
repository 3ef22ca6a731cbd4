"""Controllers with the pods that they made: Deployment, DaemonSet, StatefulSet, Job, CronJob, static pods."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

from drills.defaults import pod_spec
from drills.expand.network import add_pdb, add_service
from drills.expand.placement import place
from drills.expand.pods import make_pod
from drills.expand.scaling import add_hpa
from drills.expand.storage import add_claim
from drills.expand.templates import labels_of, pod_template
from drills.expand.world import World, Writer
from drills.objects import Obj, parse_duration, rfc3339, stable_suffix


def add_workload(world: World, data: dict[str, Any]) -> None:
    """Expand one entry of `workloads:`. Raises KeyError for a missing field, ValueError for an unknown kind."""
    kind = data.get("kind", "Deployment")
    makers = {
        "Deployment": _deployment,
        "DaemonSet": _daemon_set,
        "StatefulSet": _stateful_set,
        "CronJob": _cron_job,
        "Job": _job,
        "StaticPods": _static_pods,
    }
    if kind not in makers:
        raise ValueError(f"workload {data.get('name')}: kind {kind} is not one of {', '.join(makers)}")
    makers[kind](world, data)
    if kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        if data.get("service", bool(data.get("port"))):
            add_service(world, data)
        if "pdb" in data:
            add_pdb(world, data)
        if "hpa" in data:
            add_hpa(world, data)


def _owner_meta(data: dict[str, Any], created: datetime, labels: dict[str, str]) -> Obj:
    by = str(data.get("by", "argocd-controller"))
    meta: Obj = {
        "name": data["name"],
        "namespace": data["namespace"],
        "creationTimestamp": rfc3339(created),
        "labels": {**labels, **data.get("metaLabels", {})},
    }
    if by == "helm":
        meta["labels"]["app.kubernetes.io/managed-by"] = "Helm"
        meta["annotations"] = {"meta.helm.sh/release-name": data["name"], "meta.helm.sh/release-namespace": data["namespace"]}
    return meta


def _defaulted(template: Obj) -> Obj:
    out = copy.deepcopy(template)
    pod_spec(out["spec"])
    out["metadata"].setdefault("creationTimestamp", None)
    return out


def _deployment(world: World, data: dict[str, Any]) -> None:
    ns, name, replicas = str(data["namespace"]), str(data["name"]), int(data.get("replicas", 1))
    labels = labels_of(data)
    created = world.ago(data.get("age", "41d"))
    rolled = world.ago(data.get("rollout", data.get("age", "41d")))
    by = str(data.get("by", "argocd-controller"))
    revisions = [*data.get("revisions", []), {"image": data["image"], "age": data.get("rollout", data.get("age", "41d"))}]
    number = int(data.get("revision", len(revisions) + 3))
    meta = _owner_meta(data, created, labels)
    meta["generation"] = number
    meta.setdefault("annotations", {})["deployment.kubernetes.io/revision"] = str(number)
    if data.get("paused"):
        data.setdefault("deploymentSpec", {})["paused"] = True
    template = pod_template(data)
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": _defaulted(template),
            "strategy": data.get("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            **data.get("deploymentSpec", {}),
        },
        "status": {},
    }
    world.add(
        deployment,
        Writer(by, rolled, _WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled, ("metadata.annotations",)),
        Writer("kube-controller-manager", rolled + timedelta(seconds=30), ("status",), "status"),
    )
    for step, revision in enumerate(revisions):
        last = step == len(revisions) - 1
        at = world.ago(revision["age"])
        wanted = int(data.get("current", replicas)) if last else int(revision.get("keep", 0))
        body = pod_template({**data, **revision.get("with", {})}, str(revision["image"]))
        code = stable_suffix("template", world.seed, ns, name, body, revision.get("salt", ""), size=10)
        rs = _replica_set(world, deployment, body, code, at, wanted, number - (len(revisions) - 1 - step))
        if not data.get("noPods"):
            _replica_pods(world, rs, {**data, **revision.get("with", {})}, wanted, at)


_WRITTEN_BY_USER = (
    "spec",
    "metadata.labels",
    "metadata.annotations.meta.helm.sh/release-name",
    "metadata.annotations.meta.helm.sh/release-namespace",
)


def _replica_set(world: World, deployment: Obj, template: Obj, code: str, created: datetime, replicas: int, revision: int) -> Obj:
    meta = deployment["metadata"]
    labels = {**template["metadata"]["labels"], "pod-template-hash": code}
    body = _defaulted(template)
    body["metadata"]["labels"] = labels
    desired = deployment["spec"]["replicas"]
    return world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{code}",
                "namespace": meta["namespace"],
                "labels": labels,
                "generation": 1,
                "creationTimestamp": rfc3339(created),
                "annotations": {
                    "deployment.kubernetes.io/desired-replicas": str(desired),
                    "deployment.kubernetes.io/max-replicas": str(desired + max(1, desired // 4)),
                    "deployment.kubernetes.io/revision": str(revision),
                },
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {**deployment["spec"]["selector"]["matchLabels"], "pod-template-hash": code}},
                "template": body,
            },
            "status": {},
        },
        Writer("kube-controller-manager", created, ("spec", "metadata")),
        Writer("kube-controller-manager", created + timedelta(seconds=20), ("status",), "status"),
    )


def _replica_pods(world: World, rs: Obj, data: dict[str, Any], count: int, at: datetime) -> None:
    ns, name = rs["metadata"]["namespace"], rs["metadata"]["name"]
    ages = data.get("podAges", [])
    nodes = place(world, data, count)
    for number in range(count):
        created = world.ago(ages[number]) if number < len(ages) else at + timedelta(seconds=4 * number)
        suffix = stable_suffix("pod", world.seed, ns, name, number, len(world.by_kind.get("Pod", {})))
        make_pod(
            world,
            namespace=ns,
            name=f"{name}-{suffix}",
            template=rs["spec"]["template"],
            created=created,
            node=nodes[number],
            owner=rs,
            generate_name=f"{name}-",
        )


def _daemon_set(world: World, data: dict[str, Any]) -> None:
    ns, name = str(data["namespace"]), str(data["name"])
    labels = labels_of(data)
    created, rolled = world.ago(data.get("age", "60d")), world.ago(data.get("rollout", data.get("age", "60d")))
    generation = int(data.get("generation", 2))
    meta = _owner_meta(data, created, labels)
    meta["generation"] = generation
    meta.setdefault("annotations", {})["deprecated.daemonset.template.generation"] = str(generation)
    template = pod_template(data)
    ds = world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": _defaulted(template),
                "revisionHistoryLimit": 10,
                "updateStrategy": data.get(
                    "updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
                ),
            },
            "status": {},
        },
        Writer(str(data.get("by", "kubeadm")), rolled, _WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled, ("metadata.annotations",)),
        Writer("kube-controller-manager", rolled + timedelta(seconds=45), ("status",), "status"),
    )
    code = stable_suffix("revision", ns, name, template, size=9)
    _controller_revision(world, ds, template, code, rolled, generation)
    body = copy.deepcopy(template)
    body["metadata"]["labels"] = {
        **body["metadata"]["labels"],
        "controller-revision-hash": code,
        "pod-template-generation": str(generation),
    }
    workers_only = data.get("where") == "workers"
    for node in sorted(world.of("Node"), key=lambda n: str(n["metadata"]["name"])):
        node_name = node["metadata"]["name"]
        is_control = "node-role.kubernetes.io/control-plane" in node["metadata"]["labels"]
        if workers_only and is_control:
            continue
        joined = _joined(node)
        pod_created = max(rolled, joined) + timedelta(seconds=2)
        make_pod(
            world,
            namespace=ns,
            name=f"{name}-{stable_suffix('ds', world.seed, ns, name, node_name)}",
            template=body,
            created=pod_created,
            node=node_name,
            owner=ds,
            generate_name=f"{name}-",
            daemon=True,
        )


def _joined(node: Obj) -> datetime:
    return datetime.fromisoformat(node["metadata"]["creationTimestamp"].replace("Z", "+00:00"))


def _controller_revision(world: World, owner: Obj, template: Obj, code: str, at: datetime, revision: int) -> Obj:
    meta = owner["metadata"]
    return world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{meta['name']}-{code}",
                "namespace": meta["namespace"],
                "creationTimestamp": rfc3339(at),
                "labels": {**owner["spec"]["selector"]["matchLabels"], "controller-revision-hash": code},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": owner["kind"],
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "data": {"spec": {"template": {**_defaulted(template), "$patch": "replace"}}},
            "revision": revision,
        },
        Writer("kube-controller-manager", at),
    )


def _stateful_set(world: World, data: dict[str, Any]) -> None:
    ns, name, replicas = str(data["namespace"]), str(data["name"]), int(data.get("replicas", 1))
    labels = labels_of(data)
    created, rolled = world.ago(data.get("age", "52d")), world.ago(data.get("rollout", data.get("age", "52d")))
    meta = _owner_meta(data, created, labels)
    meta["generation"] = int(data.get("generation", 1))
    if "ownedBy" in data:
        meta["ownerReferences"] = [copy.deepcopy(data["ownedBy"])]
    template = pod_template(data)
    claims = []
    if "storage" in data:
        claims = [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data", "creationTimestamp": None},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": data["storage"]}},
                    "storageClassName": "gp3",
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Pending"},
            }
        ]
        template["spec"]["containers"][0].setdefault("volumeMounts", []).append(
            {"name": "data", "mountPath": data.get("dataPath", "/data")}
        )
    sts = world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": meta,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": _defaulted(template),
                "serviceName": data.get("serviceName", name),
                "podManagementPolicy": data.get("podManagement", "OrderedReady"),
                "updateStrategy": data.get("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
                "revisionHistoryLimit": 10,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                **({"volumeClaimTemplates": claims} if claims else {}),
            },
            "status": {},
        },
        Writer(str(data.get("by", "argocd-controller")), rolled, _WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled + timedelta(seconds=60), ("status",), "status"),
    )
    code = f"{stable_suffix('revision', ns, name, template, size=9)}"
    _controller_revision(world, sts, template, code, rolled, int(data.get("revision", 1)))
    nodes = place(world, data, replicas)
    ages = data.get("podAges", [])
    for number in range(replicas):
        body = copy.deepcopy(template)
        body["metadata"]["labels"] = {
            **body["metadata"]["labels"],
            "controller-revision-hash": f"{name}-{code}",
            "statefulset.kubernetes.io/pod-name": f"{name}-{number}",
            "apps.kubernetes.io/pod-index": str(number),
        }
        body["spec"]["hostname"] = f"{name}-{number}"
        body["spec"]["subdomain"] = data.get("serviceName", name)
        if claims:
            claim = f"data-{name}-{number}"
            body["spec"].setdefault("volumes", []).append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
            add_claim(world, namespace=ns, name=claim, size=str(data["storage"]), labels=labels, node=nodes[number], created=created)
        at = world.ago(ages[number]) if number < len(ages) else rolled + timedelta(seconds=25 * number)
        make_pod(
            world, namespace=ns, name=f"{name}-{number}", template=body, created=at, node=nodes[number], owner=sts, generate_name=f"{name}-"
        )


def _finish_pod(pod: Obj, at: datetime, ended: datetime) -> None:
    """Make a pod Succeeded, as a completed Job leaves it."""
    status = pod["status"]
    end = rfc3339(ended)
    status["phase"] = "Succeeded"
    for c in status["conditions"]:
        if c["type"] in {"Ready", "ContainersReady", "PodReadyToStartContainers"}:
            c.update(status="False", lastTransitionTime=end)
            if c["type"] != "PodReadyToStartContainers":
                c["reason"] = "PodCompleted"
        elif c["type"] == "Initialized":
            c["reason"] = "PodCompleted"
    for c in status["containerStatuses"]:
        begun = c["state"]["running"]["startedAt"] if "running" in c["state"] else rfc3339(at)
        c.update(
            ready=False,
            started=False,
            state={
                "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": begun, "finishedAt": end, "containerID": c["containerID"]}
            },
        )


def make_job(
    world: World,
    data: dict[str, Any],
    *,
    name: str,
    created: datetime,
    owner: Obj | None = None,
    running: bool = False,
    seconds: float = 20,
    node: str | None = None,
) -> Obj:
    """One Job with one pod; finished well after `seconds` unless `running`."""
    ns = str(data["namespace"])
    uid_labels = {"batch.kubernetes.io/job-name": name, "job-name": name}
    template = pod_template({"probes": False, **data, "kind": "Job"})
    template["spec"]["restartPolicy"] = data.get("restartPolicy", "OnFailure")
    meta: Obj = {"name": name, "namespace": ns, "creationTimestamp": rfc3339(created), "generation": 1, "labels": {**labels_of(data)}}
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        meta["annotations"] = {"batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(created)}
    ended = created + timedelta(seconds=seconds)
    if running:
        status: Obj = {"active": 1, "ready": 1, "startTime": rfc3339(created), "terminating": 0, "uncountedTerminatedPods": {}}
    else:
        status = {
            "succeeded": 1,
            "ready": 0,
            "terminating": 0,
            "startTime": rfc3339(created),
            "completionTime": rfc3339(ended),
            "uncountedTerminatedPods": {},
            "conditions": [
                {
                    "type": t,
                    "status": "True",
                    "lastProbeTime": rfc3339(ended),
                    "reason": "CompletionsReached",
                    "message": "Reached expected number of succeeded pods",
                    "lastTransitionTime": rfc3339(ended),
                }
                for t in ("SuccessCriteriaMet", "Complete")
            ],
        }
    job = world.add(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": meta,
            "spec": {
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": int(data.get("backoffLimit", 6)),
                "completionMode": "NonIndexed",
                "suspend": False,
                "manualSelector": False,
                "podReplacementPolicy": "TerminatingOrFailed",
                **data.get("jobSpec", {}),
                "template": _defaulted(template),
            },
            "status": status,
        },
        Writer("kube-controller-manager" if owner else str(data.get("by", "kubectl-create")), created, ("spec", "metadata")),
        Writer("kube-controller-manager", created if running else ended, ("status",), "status"),
    )
    uid_labels.update({"batch.kubernetes.io/controller-uid": job["metadata"]["uid"], "controller-uid": job["metadata"]["uid"]})
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}
    job["spec"]["template"]["metadata"]["labels"] = {**template["metadata"]["labels"], **uid_labels}
    body = copy.deepcopy(template)
    body["metadata"]["labels"] = {**body["metadata"]["labels"], **uid_labels}
    where = node or place(world, data, 1, salt=name)[0]
    pod = make_pod(
        world,
        namespace=ns,
        name=f"{name}-{stable_suffix('job', world.seed, ns, name)}",
        template=body,
        created=created,
        node=where,
        owner=job,
        generate_name=f"{name}-",
    )
    if not running:
        _finish_pod(pod, created, ended)
        world.writers[world.key(pod)] = [
            Writer("kube-controller-manager", created, ("metadata", "spec")),
            Writer("kubelet", ended, ("status",), "status"),
        ]
    return job


def _job(world: World, data: dict[str, Any]) -> None:
    make_job(
        world,
        data,
        name=str(data["name"]),
        created=world.ago(data.get("age", "2h")),
        running=bool(data.get("running")),
        seconds=float(data.get("seconds", 20)),
    )


def _cron_job(world: World, data: dict[str, Any]) -> None:
    """data: schedule, every and offset (its rhythm), lastRun (instead of the last tick), history (default 3), active
    (running jobs), concurrencyPolicy."""
    ns, name = str(data["namespace"]), str(data["name"])
    created = world.ago(data.get("age", "38d"))
    every = parse_duration(data.get("every", "1h"))
    seconds = float(data.get("seconds", 20))
    last = world.ago(data["lastRun"]) if "lastRun" in data else _latest_tick(world.now, every, parse_duration(data.get("offset", 0)))
    template = pod_template({"probes": False, **data})
    template["spec"]["restartPolicy"] = data.get("restartPolicy", "OnFailure")
    running = int(data.get("active", 0)) or int(world.now - last < timedelta(seconds=seconds + 5))
    finished = last - every * running + timedelta(seconds=seconds)
    cron = world.add(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {**_owner_meta(data, created, labels_of(data)), "generation": 1},
            "spec": {
                "schedule": data["schedule"],
                "concurrencyPolicy": data.get("concurrencyPolicy", "Forbid"),
                "suspend": False,
                **{
                    k: v
                    for k, v in (
                        ("successfulJobsHistoryLimit", data.get("successHistory", 3)),
                        ("failedJobsHistoryLimit", data.get("failedHistory", 1)),
                    )
                    if v is not None
                },
                **data.get("cronSpec", {}),
                "jobTemplate": {
                    "metadata": {"creationTimestamp": None},
                    "spec": {**data.get("jobSpec", {}), "template": _defaulted(template)},
                },
            },
            "status": {"lastScheduleTime": rfc3339(last), "lastSuccessfulTime": rfc3339(finished)},
        },
        Writer(str(data.get("by", "argocd-controller")), created, _WRITTEN_BY_USER),
        Writer("kube-controller-manager", max(last, finished), ("status",), "status"),
    )
    active: list[Obj] = []
    for step in range(int(data.get("history", 3)) + running):
        at = last - every * step
        job_name = f"{name}-{int(at.timestamp()) // 60}"
        job = make_job(world, data, name=job_name, created=at, owner=cron, running=step < running, seconds=seconds)
        if step < running:
            active.append({"apiVersion": "batch/v1", "kind": "Job", "name": job_name, "namespace": ns, "uid": job["metadata"]["uid"]})
    if active:
        cron["status"]["active"] = active


def _latest_tick(now: datetime, every: timedelta, offset: timedelta) -> datetime:
    """The last moment that a schedule with this rhythm came due."""
    epoch = datetime(2026, 1, 1, tzinfo=now.tzinfo) + offset
    return epoch + every * ((now - epoch) // every)


def _static_pods(world: World, data: dict[str, Any]) -> None:
    """Mirror pods of a control-plane component, one on each control-plane node."""
    for node in sorted(world.of("Node"), key=lambda n: str(n["metadata"]["name"])):
        if "node-role.kubernetes.io/control-plane" not in node["metadata"]["labels"]:
            continue
        name = node["metadata"]["name"]
        template = pod_template({"hostNetwork": True, "priorityClass": "system-node-critical", "probes": False, **data})
        template["metadata"]["labels"] = {"component": str(data["name"]), "tier": "control-plane"}
        make_pod(
            world,
            namespace="kube-system",
            name=f"{data['name']}-{name}",
            template=template,
            node=name,
            owner=node,
            created=world.ago(data.get("age", "34d")),
            static=True,
        )
