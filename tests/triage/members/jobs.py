"""Jobs and CronJobs."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.members.member import member
from tests.triage.situation import lease


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
