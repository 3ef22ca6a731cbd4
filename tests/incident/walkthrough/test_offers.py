"""Which actions are offered for an object: those that fit it, why, and what is still to be asked."""

from __future__ import annotations

import pytest

from actions import catalogue
from cluster.kube.objects import Ref
from incident.offers import Offer, offers
from tests.actions.fake import FakeApi
from tests.actions.scenarios import SCENARIOS, Scenario, deployment, pod
from tests.probes.cells import node


def named(found: tuple[Offer, ...]) -> dict[str, Offer]:
    return {each.action: each for each in found}


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS.items())
async def test_each_action_is_offered_for_its_object(name: str, scenario: Scenario) -> None:
    api = FakeApi(scenario.objects)
    plan = await catalogue.plan(name, api.context(), scenario.arguments)
    if plan.object.kind == "Namespace":
        api.put({"kind": "Namespace", "metadata": {"name": plan.object.name, "uid": "uid"}})
    offer = named(offers(api.store, plan.object)).get(name)
    if name in ("restore-secret-keys",):
        offer = named(offers(api.store, Ref("Secret", "shop", "login")))[name]
        assert [each.name for each in offer.asks] == ["file", "keys"]
        return
    assert offer is not None, f"{name} on {plan.object}"
    given = dict(offer.arguments)
    assert given.items() <= {**scenario.arguments}.items() or name == "label"
    asked = {each.name for each in offer.asks}
    assert not asked & given.keys()
    again = {**scenario.arguments, **given}
    assert (await catalogue.plan(name, api.context(), again)).refused == ""


def test_what_the_state_calls_for_comes_first() -> None:
    store = FakeApi([node("node-1"), node("node-2", ready=False)]).store
    first, *rest = offers(store, Ref("Node", "", "node-2"))
    assert (first.action, first.why) == ("cordon", "it is not Ready")
    assert "uncordon" not in {each.action for each in rest}


def test_a_cordon_names_the_field_manager_that_set_it() -> None:
    cordoned = node("node-2", unschedulable=True)
    cordoned["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": "Update",
            "time": at,
            "fieldsV1": {"f:spec": {"f:unschedulable": {}}},
        }
        for manager, at in (
            ("stanch", "2026-11-19T01:00:00Z"),
            ("kubectl-cordon", "2026-11-20T01:00:00Z"),
        )
    ]
    store = FakeApi([cordoned]).store
    offer = named(offers(store, Ref("Node", "", "node-2")))["uncordon"]
    assert offer.why == "it was cordoned by kubectl-cordon at 2026-11-20 01:00 UTC"
    assert offer.likely


def test_a_pod_offers_what_its_workload_can_do() -> None:
    web = {"kind": "ReplicaSet", "name": "web-2", "uid": "uid-web-2", "controller": True}
    replica_set = {
        "kind": "ReplicaSet",
        "metadata": {
            "name": "web-2",
            "namespace": "shop",
            "uid": "uid-web-2",
            "ownerReferences": [
                {"kind": "Deployment", "name": "web", "uid": "uid-web", "controller": True}
            ],
        },
    }
    child = pod("web-2-a")
    child["metadata"]["ownerReferences"] = [web]
    store = FakeApi([deployment(), replica_set, child]).store
    found = named(offers(store, Ref("Pod", "shop", "web-2-a")))
    assert found["delete-pod"].arguments == {"pod": "shop/web-2-a"}
    assert found["rollout-restart"].arguments == {"workload": "deployment/shop/web"}
    assert [each.name for each in found["scale"].asks] == ["replicas"]
    assert found["scale"].object == Ref("Deployment", "shop", "web")


def test_a_bare_pod_is_not_deleted_and_an_unknown_object_offers_nothing() -> None:
    lonely = pod("alone")
    del lonely["metadata"]["ownerReferences"]
    store = FakeApi([lonely]).store
    assert set(named(offers(store, Ref("Pod", "shop", "alone")))) == {"label"}
    assert offers(store, Ref("Pod", "shop", "absent")) == ()
