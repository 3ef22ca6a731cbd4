"""Jobs and CronJobs with what their runs have left behind."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, parse_duration, rfc3339, stable_suffix
from drills.api.world import World, Writer
from drills.pods.running import make_pod
from drills.scenario.workloads.ownership import WRITTEN_BY_USER, defaulted, owner_meta
from drills.scenario.workloads.placement import place
from drills.scenario.workloads.templates import labels_of, pod_template


def add_job(world: World, data: dict[str, Any]) -> None:
    make_job(
        world,
        data,
        name=str(data["name"]),
        created=world.ago(data.get("age", "2h")),
        running=bool(data.get("running")),
        seconds=float(data.get("seconds", 20)),
    )


def add_cron_job(world: World, data: dict[str, Any]) -> None:
    """data: schedule, every and offset (its rhythm), lastRun (instead of the last tick), history
    (default 3), active (running jobs), concurrencyPolicy."""
    ns, name = str(data["namespace"]), str(data["name"])
    created = world.ago(data.get("age", "38d"))
    every = parse_duration(data.get("every", "1h"))
    seconds = float(data.get("seconds", 20))
    last = (
        world.ago(data["lastRun"])
        if "lastRun" in data
        else _latest_tick(world.now, every, parse_duration(data.get("offset", 0)))
    )
    template = pod_template({"probes": False, **data})
    template["spec"]["restartPolicy"] = data.get("restartPolicy", "OnFailure")
    running = int(data.get("active", 0)) or int(world.now - last < timedelta(seconds=seconds + 5))
    finished = last - every * running + timedelta(seconds=seconds)
    cron = world.add(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {**owner_meta(data, created, labels_of(data)), "generation": 1},
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
                    "spec": {**data.get("jobSpec", {}), "template": defaulted(template)},
                },
            },
            "status": {"lastScheduleTime": rfc3339(last), "lastSuccessfulTime": rfc3339(finished)},
        },
        Writer(str(data.get("by", "argocd-controller")), created, WRITTEN_BY_USER),
        Writer("kube-controller-manager", max(last, finished), ("status",), "status"),
    )
    active: list[Obj] = []
    for step in range(int(data.get("history", 3)) + running):
        at = last - every * step
        job_name = f"{name}-{int(at.timestamp()) // 60}"
        job = make_job(
            world,
            data,
            name=job_name,
            created=at,
            owner=cron,
            running=step < running,
            seconds=seconds,
        )
        if step < running:
            active.append(
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": job_name,
                    "namespace": ns,
                    "uid": job["metadata"]["uid"],
                }
            )
    if active:
        cron["status"]["active"] = active


def _latest_tick(now: datetime, every: timedelta, offset: timedelta) -> datetime:
    """The last moment that a schedule with this rhythm came due."""
    epoch = datetime(2026, 1, 1, tzinfo=now.tzinfo) + offset
    return epoch + every * ((now - epoch) // every)


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
    meta: Obj = {
        "name": name,
        "namespace": ns,
        "creationTimestamp": rfc3339(created),
        "generation": 1,
        "labels": {**labels_of(data)},
    }
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
        status: Obj = {
            "active": 1,
            "ready": 1,
            "startTime": rfc3339(created),
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
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
                "template": defaulted(template),
            },
            "status": status,
        },
        Writer(
            "kube-controller-manager" if owner else str(data.get("by", "kubectl-create")),
            created,
            ("spec", "metadata"),
        ),
        Writer("kube-controller-manager", created if running else ended, ("status",), "status"),
    )
    uid_labels.update(
        {
            "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
            "controller-uid": job["metadata"]["uid"],
        }
    )
    job["spec"]["selector"] = {
        "matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    }
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
                "terminated": {
                    "exitCode": 0,
                    "reason": "Completed",
                    "startedAt": begun,
                    "finishedAt": end,
                    "containerID": c["containerID"],
                }
            },
        )
