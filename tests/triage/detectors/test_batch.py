"""Jobs and CronJobs: floods, failures, retries, and schedules that do not run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from tests.triage.situation import (
    background,
    first,
    found,
    lease,
    look,
    one,
)
from triage.detectors.workloads.batch import longest_gap
from triage.facts.finding import Severity


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


def test_a_job_that_gave_up_and_one_that_was_tried_again() -> None:
    cluster = background()
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "lastTransitionTime": ts(ago(minutes=8)),
    }
    cluster.add(
        "Job",
        {
            "metadata": meta("gave-up", "shop", ago(minutes=30)),
            "status": {"failed": 7, "conditions": [failed]},
        },
    )
    cluster.add(
        "Job",
        {
            "metadata": meta("retried", "shop", ago(minutes=30)),
            "status": {"failed": 2, "active": 1},
        },
    )
    done = {"type": "Complete", "status": "True", "lastTransitionTime": ts(ago(minutes=8))}
    cluster.add(
        "Job",
        {
            "metadata": meta("done", "shop", ago(minutes=30)),
            "status": {"failed": 2, "succeeded": 1, "conditions": [done]},
        },
    )
    assert one(look(cluster), "job-failed").object.name == "gave-up"


@pytest.mark.parametrize(
    "reason", ["UnparseableSchedule", "TooManyMissedTimes", "UnknownTimeZone", "FailedCreate"]
)
def test_a_schedule_that_does_not_run(reason: str) -> None:
    cluster = background()
    cluster.add(
        "CronJob", {"metadata": meta("nightly", "shop"), "spec": {"schedule": "61 * * * *"}}
    )
    cluster.event("CronJob", "shop", "nightly", reason, "unparseable schedule", ago(minutes=4))
    assert one(look(cluster), "cronjob-missed").facts["reason"] == reason


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("*/5 * * * *", timedelta(minutes=5)),
        ("* * * * *", timedelta(minutes=1)),
        ("15 * * * *", timedelta(hours=1)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 3 * * *", timedelta(days=1)),
        ("0 3 * * 1", timedelta(days=7)),
        ("0 3 1 * *", timedelta(days=31)),
        ("@daily", timedelta(days=1)),
        ("0 3 1 1 *", None),
        ("never", None),
    ],
)
def test_the_longest_time_between_two_runs(schedule: str, gap: timedelta | None) -> None:
    assert longest_gap(schedule) == gap


def cron(cluster: Cluster, last: datetime, **spec: Any) -> dict[str, Any]:
    return cluster.add(
        "CronJob",
        {
            "metadata": meta("report", "shop"),
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {}}, **spec},
            "status": {"lastScheduleTime": ts(last)},
        },
    )


def test_a_schedule_that_has_passed_twice_without_a_run() -> None:
    cluster = background()
    raw = cron(cluster, ago(minutes=50))
    assert not found(cluster, "cronjob-missed"), "nothing says that the picture is of now"
    cluster.raw.pop()
    lease(cluster, "n1", NOW, "kube-node-lease")
    raw = cron(cluster, ago(minutes=50))
    assert "report has not run since 08:36 UTC (schedule */10 * * * *)" in first(cluster)
    raw["spec"]["concurrencyPolicy"] = "Forbid"
    raw["status"]["active"] = [{"kind": "Job", "namespace": "shop", "name": "report-1"}]
    assert "its Job report-1 still runs" in first(cluster)
    raw["status"]["lastScheduleTime"] = ts(ago(minutes=9))
    assert not found(cluster, "cronjob-missed")


def test_a_suspended_schedule_is_a_note_with_who_did_it() -> None:
    cluster = background()
    raw = cron(cluster, ago(days=2), suspend=True)
    assert not found(cluster, "cronjob-missed")
    raw["metadata"]["managedFields"] = [
        managed("kubectl", ago(days=2), {"f:spec": {"f:suspend": {}}})
    ]
    [finding] = found(cluster, "cronjob-missed")
    assert (finding.severity, finding.claim) == (
        Severity.INFO,
        "does not run: suspended by kubectl",
    )


def test_a_job_whose_pods_fail_is_a_young_note_with_the_exit() -> None:
    cluster = background()
    job = cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop", created=ago(seconds=80)),
            "spec": {"backoffLimit": 6},
            "status": {"failed": 2, "startTime": ts(ago(seconds=80))},
        },
    )
    cluster.add(
        "Pod",
        {
            "metadata": meta("load-x", "shop", created=ago(seconds=60), owner=("Job", job)),
            "spec": {"nodeName": "n1", "restartPolicy": "Never", "containers": [{"name": "main"}]},
            "status": {
                "phase": "Failed",
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {"terminated": {"exitCode": 3, "finishedAt": ts(ago(seconds=30))}},
                    }
                ],
            },
        },
    )
    assert first(cluster) == "Job load: 2 of 7 tries failed, container main exit 3 (young)"
    job["status"] = {"succeeded": 1, "failed": 2, "conditions": [{"type": "Complete"}]}
    job["status"]["conditions"][0]["status"] = "True"
    assert not found(cluster, "job-retrying")


def test_a_pod_of_a_job_that_was_ended_at_its_own_deadline_says_so() -> None:
    cluster = background()
    job = cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop", created=ago(minutes=70)),
            "spec": {"backoffLimit": 6},
            "status": {"failed": 1, "startTime": ts(ago(minutes=70))},
        },
    )
    end = {"exitCode": 137, "reason": "Error", "finishedAt": ts(ago(minutes=10))}
    pod = cluster.add(
        "Pod",
        {
            "metadata": meta("load-x", "shop", created=ago(minutes=70), owner=("Job", job)),
            "spec": {"nodeName": "n1", "restartPolicy": "Never", "containers": [{"name": "main"}]},
            "status": {
                "phase": "Failed",
                "reason": "DeadlineExceeded",
                "message": "Pod was active on the node longer than the specified deadline",
                "containerStatuses": [{"name": "main", "state": {"terminated": end}}],
            },
        },
    )
    [said] = found(cluster, "pod-ended-by-kubelet")
    assert "longer than the specified deadline" in said.claim
    del pod["status"]["reason"], pod["status"]["message"]
    assert not found(cluster, "pod-ended-by-kubelet")
