"""Jobs and CronJobs as their authors wrote them, and the due times of schedules."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, parse_duration
from drills.controllers.context import CONTROLLER
from drills.controllers.new_objects import defaulted, job_spec
from drills.scenario.simulation import Simulation
from drills.scenario.workloads.sets import WRITTEN_BY_USER, workload_meta
from drills.scenario.workloads.templates import labels_of, pod_template
from drills.scenario.world import Data, World


def _spec(data: Data) -> Obj:
    """The spec of a Job."""
    template = pod_template({"probes": False, **data, "kind": "Job"})
    template["spec"]["restartPolicy"] = data.get("restartPolicy", "OnFailure")
    return {"template": defaulted(template)}


def add_job(world: World, data: Data) -> None:
    """data: age, seconds (20: how long it runs), running (it hangs), backoffLimit."""
    created = world.ago(data.get("age", "2h"))
    simulation = Simulation(world, data, created)
    if data.get("running"):
        simulation.hanging_since = created
    job = world.make(
        "Job",
        str(data["name"]),
        str(data["namespace"]),
        created,
        FieldManager(str(data.get("by", "kubectl-create")), created, ("spec", "metadata")),
        meta={"generation": 1, "labels": labels_of(data)},
        spec=job_spec({"backoffLimit": int(data.get("backoffLimit", 6)), **_spec(data)}),
        status={},
    )
    simulation.salt = job["metadata"]["name"]
    simulation.run(simulation.jobs.start(job))


def add_cron_job(world: World, data: Data) -> None:
    """data: schedule, every and offset (its rhythm), lastRun (instead of the last tick), history
    (3: finished runs that are left), active (runs that hang), concurrencyPolicy, and the
    words of a Job."""
    created, every = world.ago(data.get("age", "38d")), parse_duration(data.get("every", "1h"))
    last = _latest_tick(world.now, every, parse_duration(data.get("offset", 0)))
    if "lastRun" in data:
        last = world.ago(data["lastRun"])
    cron = world.make(
        "CronJob",
        str(data["name"]),
        str(data["namespace"]),
        created,
        FieldManager(str(data.get("by", "argocd-controller")), created, WRITTEN_BY_USER),
        FieldManager(CONTROLLER, last, ("status",), "status"),
        meta={**workload_meta(data), "generation": 1},
        spec={
            "schedule": data["schedule"],
            "concurrencyPolicy": data.get("concurrencyPolicy", "Forbid"),
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {
                "metadata": {"creationTimestamp": None, "labels": labels_of(data)},
                "spec": _spec(data),
            },
        },
        status={},
    )
    hanging = int(data.get("active", 0))
    running = hanging or int(world.now - last < timedelta(seconds=float(data.get("seconds", 20))))
    simulation = Simulation(world, data, last)
    if hanging:
        simulation.hanging_since = last - every * (hanging - 1)
    for step in reversed(range(int(data.get("history", 3)) + running)):
        at = last - every * step
        simulation.salt = f"{data['name']}-{int(at.timestamp()) // 60}"
        simulation.run(simulation.jobs.start_run(cron), at)


def _latest_tick(now: datetime, every: timedelta, offset: timedelta) -> datetime:
    """The last due time of a schedule with this interval."""
    epoch = datetime(2026, 1, 1, tzinfo=now.tzinfo) + offset
    return epoch + every * ((now - epoch) // every)
