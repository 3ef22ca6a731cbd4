"""Controllers that may not create: the cause, the object and the numbers stand on the first
line."""

from __future__ import annotations

import pytest

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.situation import background, first, found, look, sure
from triage.facts.create_failures import create_failure, exceeded
from triage.facts.finding import Severity

QUOTA = (
    'pods "web-7d4b9c-x" is forbidden: exceeded quota: team, requested: '
    "limits.memory=512Mi,pods=1, used: limits.memory=4Gi,pods=10, limited: "
    "limits.memory=4Gi,pods=10"
)


def short(message: str, kind: str = "ReplicaSet", name: str = "web2-7d4b9c") -> Cluster:
    cluster = background()
    raw = cluster.deployment("web2", "shop", replicas=1, created=ago(hours=3))
    for row in (raw, raw["set"]):
        row["spec"]["replicas"] = 3
        row["status"].update(replicas=1, readyReplicas=1)
    if kind == "Job":
        cluster.add("Job", {"metadata": meta(name, "shop", created=ago(minutes=20)), "spec": {}})
    cluster.event(
        kind,
        "shop",
        name,
        "FailedCreate",
        f"Error creating: {message}",
        ago(seconds=30),
        first=ago(minutes=12),
        count=14,
    )
    return cluster


@pytest.mark.parametrize(
    ("message", "cause", "words"),
    [
        (QUOTA, "quota", "quota team is used up: limits.memory 4Gi of 4Gi used, 512Mi more"),
        (
            'pods "x" is forbidden: failed quota: team: must specify limits.cpu for: app',
            "quota-unset",
            "values that the template does not set: limits.cpu for: app",
        ),
        (
            'pods "x" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi',
            "limits",
            "maximum memory usage per Container is 4Gi, but limit is 8Gi",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces '
            "(hostNetwork=true)",
            "pod-security",
            "PodSecurity restricted:latest forbids them: host namespaces (hostNetwork=true)",
        ),
        (
            'admission webhook "deny.example" denied the request: no owner label',
            "webhook",
            "webhook deny.example refuses them: no owner label",
        ),
        (
            'Internal error occurred: failed calling webhook "mesh.example": failed to call '
            'webhook: Post "https://mesh.mesh.svc:443/": no endpoints available for service "mesh"',
            "webhook",
            "webhook mesh.example cannot be called",
        ),
        (
            "ValidatingAdmissionPolicy 'tags' with binding 'tags' denied request: tag is latest",
            "policy",
            "admission policy tags denies them: tag is latest",
        ),
        (
            'pods "x" is forbidden: error looking up service account shop/robot: serviceaccount '
            '"robot" not found',
            "service-account",
            "ServiceAccount robot does not exist",
        ),
        (
            'pods is forbidden: User "system:serviceaccount:kube-system:job-controller" cannot '
            'create resource "pods" in API group "" in the namespace "shop"',
            "rbac",
            'job-controller may not create resource "pods"',
        ),
        (
            'pods "x" is forbidden: no PriorityClass with name gold was found',
            "priority-class",
            "PriorityClass gold does not exist",
        ),
        ("something new", "other", "something new"),
    ],
)
def test_the_first_line_says_why_pods_cannot_be_created(
    message: str, cause: str, words: str
) -> None:
    cluster = short(message)
    [finding] = found(cluster, "create-failed")
    assert finding.facts["cause"] == cause
    assert finding.object.name == "web2"
    assert words in first(cluster)
    assert "web2" in first(cluster)
    assert not sure(look(cluster))


def test_each_resource_of_a_quota_is_read() -> None:
    assert [(one.resource, one.used, one.hard) for one in exceeded(QUOTA)] == [
        ("limits.memory", "4Gi", "4Gi"),
        ("pods", "10", "10"),
    ]
    assert create_failure("exceeded quota: team, more").text == "quota team is used up"


def test_a_quota_names_what_it_refuses() -> None:
    cluster = short(QUOTA)
    hard, used = {"pods": "10", "limits.memory": "4Gi"}, {"pods": "10", "limits.memory": "4Gi"}
    cluster.add(
        "ResourceQuota",
        {"metadata": meta("team", "shop"), "status": {"hard": hard, "used": used}},
    )
    [finding] = found(cluster, "quota-exceeded")
    assert (finding.facts["resource"], finding.facts["hard"]) == ("limits.memory", "4Gi")
    assert "web2" in finding.claim
    assert look(cluster).symptoms[0].mechanism == "create-failed"


def test_a_schedule_that_a_quota_stops_is_one_symptom_with_it() -> None:
    cluster = background()
    cluster.add(
        "CronJob",
        {
            "metadata": meta("ingest", "shop", created=ago(days=3)),
            "spec": {"schedule": "*/5 * * * *"},
            "status": {"lastScheduleTime": ts(ago(minutes=50))},
        },
    )
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("team", "shop"),
            "status": {"hard": {"count/jobs.batch": "10"}, "used": {"count/jobs.batch": "10"}},
        },
    )
    cluster.event(
        "CronJob",
        "shop",
        "ingest",
        "FailedCreate",
        'Error creating job: jobs.batch "ingest-1" is forbidden: exceeded quota: team, requested: '
        "count/jobs.batch=1, used: count/jobs.batch=10, limited: count/jobs.batch=10",
        ago(seconds=30),
        first=ago(minutes=45),
        count=9,
    )
    (symptom,) = [s for s in look(cluster).symptoms if s.severity is not Severity.INFO]
    assert symptom.title.startswith("quota team refuses new objects of CronJob shop/ingest")
    assert "CronJob" in {ref.kind for ref in symptom.objects}


def test_a_job_that_may_not_create_its_pods_is_named() -> None:
    cluster = short(QUOTA, "Job", "report")
    assert first(cluster).startswith("pods of Job report cannot be created: quota team")


def test_a_workload_that_has_its_pods_is_not_named_for_an_old_refusal() -> None:
    cluster = short(QUOTA)
    for kind, row in cluster.raw:
        if kind == "ReplicaSet" and row["metadata"]["name"].startswith("web2"):
            row["status"].update(replicas=3, readyReplicas=3)
    assert not found(cluster, "create-failed")
