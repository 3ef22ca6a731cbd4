"""The control plane and cluster DNS: etcd, webhooks, objects that are lost."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

from cluster.kube.objects import Condition, Ref
from tests.triage.build import NOW, Cluster, ago, meta, ts
from tests.triage.members.nodes import static
from tests.triage.situation import (
    LIVE,
    MATCHER,
    background,
    first,
    found,
    lease,
    look,
    loud,
    one,
    service,
)
from triage.engine import triage_once
from triage.facts.finding import Severity
from triage.facts.measurements import Definition, Sample, Sources


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


@pytest.mark.parametrize(
    ("minutes", "severity", "goes_on"),
    [(4, Severity.CRITICAL, True), (14, Severity.WARNING, False)],
)
def test_dns_that_is_back_for_ten_minutes_has_recovered(
    minutes: int, severity: Severity, goes_on: bool
) -> None:
    cluster = background()
    dns = cluster.deployment("names", "kube-system", replicas=2, image="mirror/coredns:1.11")
    service(cluster, "resolver", "kube-system", {"app": "names"}, port=53)
    for pod in dns["pods"]:
        cluster.ended(pod, ago(minutes=minutes), reason="OOMKilled", restarts=2)
    report = look(cluster)
    finding = one(report, "dns-degraded")
    assert (finding.severity, finding.active) == (severity, goes_on)
    assert any(f.active for f in report.symptoms[0].findings) is goes_on


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


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("kube-scheduler", "new pods are not scheduled"),
        ("kube-controller-manager", "no controller acts"),
    ],
)
def test_a_component_that_does_not_renew_its_lease_is_away(name: str, effect: str) -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, name, ago(minutes=12))
    assert first(cluster).startswith(f"{name} is away")
    assert effect in first(cluster)


def test_a_component_that_is_away_and_its_own_pods_are_one_symptom() -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, "kube-controller-manager", ago(minutes=12))
    static(cluster, "kube-controller-manager")
    report = look(cluster)
    away = one(report, "component-away")
    assert away.id in {f.id for f in report.symptoms[0].findings}
    assert one(report, "control-plane-degraded").id in {f.id for f in report.symptoms[0].findings}
    assert report.symptoms[0].title.startswith("kube-controller-manager is away")


@pytest.mark.parametrize(
    ("more", "hours", "together"),
    [
        ({}, 1, True),
        ({"concurrencyPolicy": "Forbid"}, 1, False),
        ({}, 30, False),
    ],
    ids=["stands still", "its Job runs", "a day before"],
)
def test_a_schedule_that_stands_still_without_controllers_follows(
    more: dict[str, str], hours: int, together: bool
) -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, "kube-controller-manager", ago(minutes=50))
    running = [{"kind": "Job", "namespace": "shop", "name": "report-1"}] if more else []
    cluster.add(
        "CronJob",
        {
            "metadata": meta("report", "shop"),
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {}}, **more},
            "status": {"lastScheduleTime": ts(ago(hours=hours)), "active": running},
        },
    )
    report = look(cluster)
    away, missed = one(report, "component-away"), one(report, "cronjob-missed")
    [symptom] = [each for each in report.symptoms if away in each.findings]
    assert (missed in symptom.findings) is together
    sure = {each.id for each in MATCHER.match_symptom(symptom, report) if each.confident}
    assert sure == {"control-plane-component-down"}


@pytest.mark.parametrize("renewed", [ago(seconds=20), ago(days=9)])
def test_a_lease_that_is_fresh_or_left_over_says_nothing(renewed: datetime) -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, "kube-scheduler", renewed)
    assert not found(cluster, "component-away")


def test_old_leases_of_a_recorded_cluster_are_no_finding() -> None:
    cluster = background()
    lease(cluster, "n1", ago(minutes=30), "kube-node-lease")
    lease(cluster, "kube-scheduler", ago(minutes=30))
    assert not found(cluster, "component-away")


@pytest.mark.parametrize(
    ("conditions", "conversion", "says"),
    [
        (("NamesAccepted", "KindConflict"), None, "its names are not accepted (KindConflict: why)"),
        (("Established", "NotAccepted"), None, "not established (NotAccepted: why)"),
        (None, "gone", "its Service mq/gone does not exist (conversion webhook)"),
        (None, "hook", ""),
    ],
)
def test_a_custom_resource_that_is_not_served(
    conditions: tuple[str, str] | None, conversion: str | None, says: str
) -> None:
    cluster = background()
    cluster.deployment("hook", "mq", replicas=1)
    service(cluster, "hook", "mq", {"app": "hook"})
    cluster.add("CustomResourceDefinition", {"metadata": meta("queues.mq.example.com")})
    at = ago(minutes=20)
    definition = Definition(
        "queues.mq.example.com",
        "Queue",
        (Condition(conditions[0], "False", conditions[1], "why", at),) if conditions else (),
        Ref("Service", "mq", conversion) if conversion else None,
    )
    sample = Sample(NOW, 0.0, (definition, replace(definition, name="gone")))
    report = triage_once(cluster.store(), NOW, LIVE, Sources(definitions=sample))
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert [says in s.title or says in s.findings[0].claim for s in loud] == (
        [True] if says else []
    )
    if loud:
        best = MATCHER.match_symptom(loud[0], report)[0]
        assert (best.id, best.confident) == ("custom-resource-type-missing", True)


BUSY = "the server has received too many requests and has asked us to try again later"


@pytest.mark.parametrize(
    ("text", "says", "page"),
    [
        (f"{BUSY} (post pods)", "has too many requests and refuses some", "api-server-sheds-load"),
        ("etcdserver: mvcc: database space exceeded", "out of space", "etcd-out-of-space"),
    ],
)
def test_what_the_api_server_says_when_it_refuses_writes_names_its_page(
    text: str, says: str, page: str
) -> None:
    cluster = background()
    for name in ("web", "api"):
        about = ("Deployment", "shop", name, "ReplicaSetCreateError")
        message = f'Failed to create new replica set "{name}-7c9d": {text}'
        cluster.event(*about, message, ago(minutes=1), ago(minutes=9), count=5)
    report = look(cluster)
    assert says in report.symptoms[0].title
    matches = MATCHER.match_symptom(report.symptoms[0], report)
    assert [each.id for each in matches if each.confident] == [page]


def test_an_api_server_that_mostly_does_not_answer_is_not_told_to_refuse() -> None:
    cluster = background()
    silent = "the server was unable to return a response in the time allotted"
    for text, count in ((BUSY, 2), (silent, 8)):
        about = ("Deployment", "shop", "web", "ReplicaSetCreateError", text)
        cluster.event(*about, ago(minutes=1), ago(minutes=9), count=count)
    [told] = found(cluster, "api-errors-in-messages")
    assert (told.facts["refused"], told.facts["count"]) == (0, 10)
    assert told.claim.endswith("the API server did not answer")
