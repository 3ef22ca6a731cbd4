"""The table of kinds, and the recipe for a new one: a type and a row are enough."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cluster.kube import kinds
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_SPELLING, KINDS, Kind, is_namespaced, plural_words
from cluster.kube.objects import Object, Ref, Wire
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from drills.api.kinds import KINDS as SERVED
from incident.tables.table import ObjectTable
from text.words import kinds_count

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


class BalancerSpec(Wire, frozen=True):
    class_name: str = ""


class Balancer(Object, frozen=True):
    spec: BalancerSpec = BalancerSpec()


ROW = Kind(
    "Balancer", "balancers", "balance.example.com/v1", Balancer, 4, ("blc",), namespaced=False
)


def test_a_type_and_a_row_are_enough_to_watch_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.READABLE, ROW.name, ROW)
    sent = {
        "items": [
            {
                "metadata": {
                    "name": "edge",
                    "ownerReferences": [{"kind": "Balancer", "name": "up", "controller": True}],
                },
                "spec": {"className": "cilium"},
            }
        ]
    }
    decoder = KindDecoder(ROW)
    page = decoder.page(json.dumps(sent).encode())
    store = Store()
    store.replace("Balancer", decoder.finish(page.objects))
    row = store.get("Balancer", "", "edge")
    assert isinstance(row, Balancer)
    assert row.spec.class_name == "cilium"
    assert controller_of(row.metadata) == Ref("Balancer", "", "up")
    assert ROW.path("ignored") == "/apis/balance.example.com/v1/balancers"
    assert kinds_count(3, "Balancer") == "3 balancers"
    table = ObjectTable(store, "Balancer", NOW)
    assert [column.name for column in table.columns] == ["name", "age"], "it has no namespace"


def test_names_and_spellings_are_unique_and_lower_case() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert len(BY_SPELLING) == sum(len(set(kind.spellings)) for kind in KINDS)
    assert all(word == word.lower() for word in BY_SPELLING)
    for word, name in (("po", "Pod"), ("sts", "StatefulSet"), ("pvc", "PersistentVolumeClaim")):
        assert BY_SPELLING[word].name == name


def test_paths_are_those_that_the_drill_serves() -> None:
    served = {(each.kind, each.group): each for each in SERVED}
    found = [(kind, served.get((kind.name, kind.group))) for kind in KINDS]
    for kind, other in found:
        if kind.group == "gateway.networking.k8s.io" or kind.group.endswith("cert-manager.io"):
            continue  # custom resources: served where their CRDs are installed
        assert other is not None, kind.name
        assert (kind.plural, kind.namespaced) == (other.plural, other.namespaced), kind.name
        assert set(kind.short_names) == set(other.short), kind.name


def test_words_for_people() -> None:
    assert plural_words("PersistentVolumeClaim") == "volume claims"
    assert plural_words("Node") == "nodes"
    assert plural_words("Widget") == "widgets"
    assert not is_namespaced("CertificateSigningRequest")
    assert is_namespaced("Widget")
