"""Jobs and CronJobs with what their runs have left behind."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import (
    Obj,
    controlled_by,
    new_condition,
    parse_duration,
    rfc3339,
    stable_suffix,
)
from drills.controllers.new_objects import defaulted
from drills.pods.pod_status import complete
from drills.scenario.workloads.placement import place
from drills.scenario.workloads.pods import make_pod
from drills.scenario.workloads.sets import WRITTEN_BY_USER, workload_meta
from drills.scenario.workloads.templates import labels_of, pod_template
from drills.scenario.world import Data, World

_CONTROLLER = "kube-controller-manager"


def add_job(world: World, data: Data) -> None:
    created, running = world.ago(data.get("age", "2h")), bool(data.get("running"))
    _make_job(world, data, str(data["name"]), created, running=running)


def _template(data: Data) -> Obj:
    template = pod_template({"probes": False, **data})
    template["spec"]["restartPolicy"] = data.get("restartPolicy", "OnFailure")
    return template


def add_cron_job(world: World, data: Data) -> None:
    """data: schedule, every and offset (its rhythm), lastRun (instead of the last tick), history
    (default 3), active (running jobs), concurrencyPolicy, successHistory, failedHistory."""
    name, created = str(data["name"]), world.ago(data.get("age", "38d"))
    every, seconds = parse_duration(data.get("every", "1h")), float(data.get("seconds", 20))
    last = _latest_tick(world.now, every, parse_duration(data.get("offset", 0)))
    if "lastRun" in data:
        last = world.ago(data["lastRun"])
    running = int(data.get("active", 0)) or int(world.now - last < timedelta(seconds=seconds + 5))
    finished = last - every * running + timedelta(seconds=seconds)
    limits = {
        "successfulJobsHistoryLimit": data.get("successHistory", 3),
        "failedJobsHistoryLimit": data.get("failedHistory", 1),
    }
    cron = world.make(
        "CronJob",
        name,
        str(data["namespace"]),
        created,
        FieldManager(str(data.get("by", "argocd-controller")), created, WRITTEN_BY_USER),
        FieldManager(_CONTROLLER, max(last, finished), ("status",), "status"),
        meta={**workload_meta(data), "generation": 1},
        spec={
            "schedule": data["schedule"],
            "concurrencyPolicy": data.get("concurrencyPolicy", "Forbid"),
            "suspend": False,
            **{k: v for k, v in limits.items() if v is not None},
            **data.get("cronSpec", {}),
            "jobTemplate": {
                "metadata": {"creationTimestamp": None},
                "spec": {**data.get("jobSpec", {}), "template": defaulted(_template(data))},
            },
        },
        status={"lastScheduleTime": rfc3339(last), "lastSuccessfulTime": rfc3339(finished)},
    )
    jobs = []
    for step in range(int(data.get("history", 3)) + running):
        at = last - every * step
        job_name = f"{name}-{int(at.timestamp()) // 60}"
        jobs.append(_make_job(world, data, job_name, at, owner=cron, running=step < running))
    if running:
        cron["status"]["active"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                **{k: job["metadata"][k] for k in ("name", "namespace", "uid")},
            }
            for job in jobs[:running]
        ]


def _latest_tick(now: datetime, every: timedelta, offset: timedelta) -> datetime:
    """The last moment that a schedule with this rhythm came due."""
    epoch = datetime(2026, 1, 1, tzinfo=now.tzinfo) + offset
    return epoch + every * ((now - epoch) // every)


def _make_job(
    world: World,
    data: Data,
    name: str,
    created: datetime,
    *,
    owner: Obj | None = None,
    running: bool,
) -> Obj:
    """One Job with one pod; finished well after data.seconds (20) unless `running`."""
    ns, ended = str(data["namespace"]), created + timedelta(seconds=float(data.get("seconds", 20)))
    template = _template({**data, "kind": "Job"})
    status: Obj = {
        "ready": int(running),
        "terminating": 0,
        "startTime": rfc3339(created),
        "uncountedTerminatedPods": {},
    }
    if running:
        status["active"] = 1
    else:
        text, at = "Reached expected number of succeeded pods", rfc3339(ended)
        status |= {"succeeded": 1, "completionTime": at}
        status["conditions"] = [
            new_condition(kind, True, at, "CompletionsReached", text, lastProbeTime=at)
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
    scheduled = {"batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(created)}
    by = _CONTROLLER if owner else str(data.get("by", "kubectl-create"))
    job = world.make(
        "Job",
        name,
        ns,
        created,
        FieldManager(by, created, ("spec", "metadata")),
        FieldManager(_CONTROLLER, created if running else ended, ("status",), "status"),
        meta={
            "generation": 1,
            "labels": labels_of(data),
            "ownerReferences": controlled_by(owner) if owner else None,
            "annotations": scheduled if owner else None,
        },
        spec={
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
        status=status,
    )
    uid = job["metadata"]["uid"]
    labels = {
        **template["metadata"]["labels"],
        "batch.kubernetes.io/job-name": name,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "controller-uid": uid,
    }
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    job["spec"]["template"]["metadata"]["labels"] = labels
    body = copy.deepcopy(template)
    body["metadata"]["labels"] = labels
    where = place(world, data, 1, salt=name)[0]
    pod_name = f"{name}-{stable_suffix('job', world.seed, ns, name)}"
    pod = make_pod(world, ns, pod_name, body, created, where, owner=job)
    if not running:
        complete(pod, rfc3339(ended))
        world.wrote_status(pod, "kubelet", ended)
    return job
