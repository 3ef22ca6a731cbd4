"""A Service whose selector is one label off is told with the labels that nearly match."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from cluster.kube.objects import (
    EndpointSlice,
    ObjectMeta,
    OwnerReference,
    Pod,
    ReplicaSet,
    Service,
    ServiceSpec,
)
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store
from triage.engine import Triage

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=3)


def claims(
    selector: dict[str, str],
    labels: dict[str, str],
    freshness: Mapping[str, Freshness] = MappingProxyType({}),
) -> list[str]:
    def meta(name: str, owner: str = "", **more: str) -> ObjectMeta:
        kind = "ReplicaSet" if owner.endswith("-6f") else "Deployment"
        owners = (OwnerReference(kind=kind, name=owner, uid=owner, controller=True),)
        return ObjectMeta(
            name=name,
            namespace="shop",
            uid=name,
            creation_timestamp=BEFORE,
            labels=more,
            owner_references=owners if owner else (),
        )

    store, engine = Store(), Triage(lambda: NOW)
    rows = {
        "Service": Service(metadata=meta("backend"), spec=ServiceSpec(selector=selector)),
        "EndpointSlice": EndpointSlice(
            metadata=meta("backend-1", **{"kubernetes.io/service-name": "backend"})
        ),
        "ReplicaSet": ReplicaSet(metadata=meta("api-6f", "api")),
        "Pod": Pod(metadata=meta("api-6f-x", "api-6f", **labels)),
    }
    for kind, row in rows.items():
        engine.update(store.apply(kind, [row]), store)
    report = engine.report(NOW, store, freshness)
    return [one.claim for one in report.findings if one.rule == "service-no-endpoints"]


@pytest.mark.parametrize(
    ("selector", "labels", "words"),
    [
        ({"app": "api", "version": "v2"}, {"app": "api", "version": "v1"}, "version=v2"),
        ({"app": "api", "tier": "web"}, {"app": "api"}, "has no label tier"),
        ({"app": "backend"}, {"app": "backends"}, "has app=backends"),
    ],
)
def test_one_label_off(selector: dict[str, str], labels: dict[str, str], words: str) -> None:
    (claim,) = claims(selector, labels)
    assert claim.startswith("no ready endpoint: no pod matches its selector ")
    assert words in claim
    assert "Deployment shop/api" in claim


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ({"app": "backend"}, {"app": "mail"}),
        ({"app": "backend", "tier": "web"}, {"app": "mail", "tier": "db"}),
    ],
)
def test_a_service_that_selects_nothing_on_purpose_is_no_news(
    selector: dict[str, str], labels: dict[str, str]
) -> None:
    assert claims(selector, labels) == []


def test_pods_that_are_not_read_are_not_absent() -> None:
    unread = {"Pod": Freshness("Pod", WatchState.WAITING, reason="list pods: HTTP 503")}
    labels = {"app": "backends"}
    assert claims({"app": "backend"}, labels)
    assert not claims({"app": "backend"}, labels, unread)
