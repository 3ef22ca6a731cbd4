"""Variables that name what is not there: since when, and what a symptom with one is dated by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cluster.live.freshness import Freshness
from cluster.live.store import StoreUpdate
from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from tests.triage.situation import LIVE, MATCHER, background, found, look, service
from text.symptoms.why import older_cause
from triage.engine import Triage
from triage.facts.addresses import is_misspelt
from triage.facts.finding import Severity, SinceSource, Symptom


def caller(cluster: Cluster, created: datetime, **more: Any) -> dict[str, Any]:
    """A Deployment that names a Service which does not exist."""
    work = cluster.deployment("front", "shop", replicas=1, created=created, **more)
    variables = [{"name": "API_URL", "value": "http://ledger.shop.svc:80/v1"}]
    work["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    return work


def crashes(cluster: Cluster, work: dict[str, Any], first: datetime) -> None:
    work["status"].update(readyReplicas=0, availableReplicas=0)
    last = {"exitCode": 1, "reason": "Error", "startedAt": ts(first), "finishedAt": ts(first)}
    cluster.waiting(work["pods"][0], "CrashLoopBackOff", restarts=3, phase="Running", last=last)
    for condition in work["pods"][0]["status"]["conditions"]:
        condition["lastTransitionTime"] = ts(first)


def reference(cluster: Cluster) -> tuple[datetime | None, SinceSource]:
    [finding] = found(cluster, "service-reference-wrong")
    return finding.since, finding.since_source


def test_a_wrong_reference_is_as_old_as_the_revision_that_has_it() -> None:
    cluster = background()
    work = caller(cluster, ago(days=20))
    work["set"]["metadata"]["creationTimestamp"] = ts(ago(hours=3))
    assert reference(cluster) == (ago(hours=3), SinceSource.CREATION)
    edit = managed("kubectl", ago(hours=2), {"f:spec": {"f:template": {}}})
    work["metadata"]["managedFields"] = [edit]
    assert reference(cluster) == (ago(hours=2), SinceSource.MANAGED_FIELDS)


def test_without_a_revision_it_is_as_old_as_the_first_crash() -> None:
    cluster = background()
    work = caller(cluster, ago(days=20))
    cluster.raw = [(kind, raw) for kind, raw in cluster.raw if raw is not work["set"]]
    assert reference(cluster) == (ago(days=20), SinceSource.CREATION)
    work = caller(cluster, ago(days=20), kind="StatefulSet")
    cluster.raw = [(k, raw) for k, raw in cluster.raw if k != "Deployment" or raw is work]
    crashes(cluster, work, ago(minutes=50))
    assert reference(cluster) == (ago(minutes=50), SinceSource.STATUS)


def of_front(symptoms: tuple[Symptom, ...]) -> Symptom:
    [one] = (
        s
        for s in symptoms
        if any(f.rule == "service-reference-wrong" for f in s.findings)
        and s.severity is not Severity.INFO
    )
    return one


def test_a_configuration_of_days_does_not_date_a_crash_of_now() -> None:
    cluster = background()
    work = caller(cluster, ago(days=6))
    assert of_front(look(cluster).symptoms).since == ago(days=6)
    crashes(cluster, work, ago(minutes=12))
    symptom = of_front(look(cluster).symptoms)
    assert {f.rule for f in symptom.findings} > {"service-reference-wrong"}
    assert symptom.since == ago(minutes=12)
    assert older_cause(symptom, NOW) == "; older cause: its configuration stands for 6 d"
    work["set"]["metadata"]["creationTimestamp"] = ts(ago(minutes=30))
    symptom = of_front(look(cluster).symptoms)
    assert (symptom.since, older_cause(symptom, NOW)) == (ago(minutes=30), "")  # it led to it


def test_a_crash_of_now_is_new_though_its_cause_was_listed_for_days() -> None:
    """The history keeps the first sign of what stands, not of a configuration that waited."""
    cluster = background()
    work = caller(cluster, ago(days=6))
    engine, live = Triage(lambda: NOW), dict[str, Freshness](LIVE)
    store = cluster.store()
    for kind in live:
        engine.update(
            [StoreUpdate(kind, key, None, row) for key, row in store.rows(kind).items()], store
        )
    assert of_front(engine.report(NOW, store, live).symptoms).since == ago(days=6)
    crashes(cluster, work, ago(minutes=12))
    after = cluster.store()
    for kind in ("Pod", "Deployment"):
        engine.update(
            [
                StoreUpdate(kind, key, store.rows(kind).get(key), row)
                for key, row in after.rows(kind).items()
            ],
            after,
        )
    assert of_front(engine.report(NOW, after, live).symptoms).since == ago(minutes=12)


@pytest.mark.parametrize(
    ("named", "exists"),
    [
        ("productcatalogservices", "productcatalogservice"),
        ("redis-cart-invalid", "redis-cart"),
        ("productcatalogservice-old", "productcatalogservice"),
        ("redis", "redis-cart"),
        ("currencysvc", "currencyservice"),
        ("orders-database", "orders-db"),
        ("paymnet", "payment"),
    ],
)
def test_a_name_is_misspelt_where_a_service_has_nearly_that_name(named: str, exists: str) -> None:
    assert is_misspelt(named, exists)


@pytest.mark.parametrize(
    ("named", "exists"),
    [
        ("shoppingassistantservice", "shippingservice"),
        ("user-service", "order-service"),
        ("cart", "card-terminal"),
        ("search", "sessions"),
    ],
)
def test_a_name_with_a_common_end_is_another_one(named: str, exists: str) -> None:
    assert not is_misspelt(named, exists)


def test_a_default_that_nobody_uses_stands_below_what_is_young() -> None:
    """A Ready workload names a Service that nothing resembles; another Service, a minute old, has
    no pod that matches."""
    cluster = background()
    work = cluster.deployment("front", "shop", replicas=1, created=ago(seconds=70))
    variables = [{"name": "ASSISTANT_ADDR", "value": "shopping-assistant:80"}]
    work["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    cluster.deployment("shipping", "shop", replicas=1, created=ago(seconds=70))
    raw = service(cluster, "shipping", "shop", {"app": "shiping"}, ready=False)
    raw["metadata"]["creationTimestamp"] = ts(ago(seconds=70))
    first, *others = look(cluster).symptoms
    assert first.title.startswith("Service shipping has no ready endpoint")
    [note] = (s for s in others if any(f.rule == "service-reference-wrong" for f in s.findings))
    assert note.severity is Severity.INFO
    assert "nearest" not in note.title


def test_a_default_makes_no_page_sure_beside_another_fault_of_its_workload() -> None:
    cluster = background()
    work = cluster.deployment("front", "shop", replicas=1, created=ago(hours=2))
    variables = [{"name": "ASSISTANT_ADDR", "value": "shopping-assistant:80"}]
    work["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    crashes(cluster, work, ago(minutes=12))
    report = look(cluster)
    for symptom in report.symptoms:
        matches = MATCHER.match_symptom(symptom, report)
        assert "reference-to-missing-service" not in [m.id for m in matches if m.confident]


def quota(cluster: Cluster, used: str) -> None:
    row = {"metadata": meta("count", "shop"), "status": {}}
    row["status"] = {"hard": {"services": "11"}, "used": {"services": used}}
    cluster.add("ResourceQuota", row)


@pytest.mark.parametrize(
    ("runs", "used", "severity", "said"),
    [
        (True, "11", Severity.WARNING, "though ledger runs there, quota count may have refused it"),
        (True, "10", Severity.WARNING, "though ledger runs there"),
        (False, "11", Severity.INFO, "there is no Service ledger in namespace shop"),
    ],
    ids=["used up", "room left", "a default"],
)
def test_a_service_is_missing_whose_workload_runs(
    runs: bool, used: str, severity: Severity, said: str
) -> None:
    """Who may not create a Service is told so, and the cluster keeps no trace of it."""
    cluster = background()
    work = cluster.deployment("front", "shop", replicas=1, created=ago(days=20))
    variables = [{"name": "LEDGER_ADDR", "value": "ledger:8080"}]
    work["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    if runs:
        cluster.deployment("ledger", "shop", replicas=1, created=ago(days=20))
    quota(cluster, used)
    [finding] = found(cluster, "service-reference-wrong")
    assert finding.severity is severity
    assert said in finding.claim
    assert ("quota" in finding.claim) is (runs and used == "11")
    report = look(cluster)
    [symptom] = [s for s in report.symptoms if finding.id in {f.id for f in s.findings}]
    matches = {m.id: m.confident for m in MATCHER.match_symptom(symptom, report)}
    sure = [id_ for id_, confident in matches.items() if confident]
    assert sure == (["reference-to-missing-service"] if runs and used == "10" else [])
    assert ("quota-used-up" in matches) is (runs and used == "11")
