"""NetworkPolicy as written: each feature of the API, both directions."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.live.store import Store
from probes.inference.policy import End, end_of, expect, not_evaluated
from probes.result import Expectation
from tests.probes.cells import meta, namespace, pod, policy, store

ALLOW, DENY, UNDEFINED = Expectation.ALLOW, Expectation.DENY, Expectation.UNDEFINED
SPACES = (namespace("web", team="front"), namespace("db", team="back"))
SERVER = End("db", {"app": "pg", "tier": "data"}, "10.0.0.9", ports={("sql", "TCP"): 5432})
CLIENT = End("web", {"app": "shop", "tier": "front"}, "10.0.0.1")


def with_policy(*specs: dict[str, Any], where: str = "db") -> Store:
    return store(*SPACES, *(policy(f"p{i}", where, spec) for i, spec in enumerate(specs)))


def ingress(**rule: Any) -> dict[str, Any]:
    return {"podSelector": {}, "ingress": [rule]}


FRONT = {"namespaceSelector": {"matchLabels": {"team": "front"}}}


@pytest.mark.parametrize(
    ("spec", "port", "expected"),
    [
        ({"podSelector": {}, "ingress": []}, 5432, DENY),
        ({"podSelector": {"matchLabels": {"app": "other"}}, "ingress": []}, 5432, ALLOW),
        (ingress(), 5432, ALLOW),
        (ingress(**{"from": [FRONT]}), 5432, ALLOW),
        (ingress(**{"from": [{"podSelector": {}}]}), 5432, DENY),  # same namespace only
        (
            ingress(**{"from": [{**FRONT, "podSelector": {"matchLabels": {"app": "shop"}}}]}),
            5432,
            ALLOW,
        ),
        (
            ingress(**{"from": [{**FRONT, "podSelector": {"matchLabels": {"app": "cart"}}}]}),
            5432,
            DENY,
        ),
        (
            ingress(**{"from": [{"podSelector": {"matchLabels": {"app": "cart"}}}, FRONT]}),
            5432,
            ALLOW,
        ),  # peers are alternatives
        (
            ingress(
                **{
                    "from": [
                        {
                            "namespaceSelector": {
                                "matchLabels": {"kubernetes.io/metadata.name": "web"}
                            }
                        }
                    ]
                }
            ),
            5432,
            ALLOW,
        ),
        (ingress(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}), 5432, ALLOW),
        (
            ingress(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.1/32"]}}]}),
            5432,
            DENY,
        ),
        (ingress(ports=[{"port": 5432}]), 5432, ALLOW),
        (ingress(ports=[{"port": 5432, "protocol": "UDP"}]), 5432, DENY),
        (ingress(ports=[{"port": "sql"}]), 5432, ALLOW),
        (ingress(ports=[{"port": "nosuch"}]), 5432, DENY),
        (ingress(ports=[{"port": 5000, "endPort": 6000}]), 5432, ALLOW),
        (ingress(ports=[{"port": 5000, "endPort": 5400}]), 5432, DENY),
        (ingress(ports=[{"protocol": "TCP"}]), 5432, ALLOW),
        (
            {"podSelector": {}, "policyTypes": ["Egress"], "ingress": []},
            5432,
            ALLOW,
        ),  # says nothing about ingress
        ({"podSelector": {}, "egress": [{}]}, 5432, DENY),  # the default types hold Ingress
    ],
)
def test_ingress(spec: dict[str, Any], port: int, expected: Expectation) -> None:
    assert expect(with_policy(spec), CLIENT, SERVER, port).verdict is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["front"], ALLOW),
        ("In", ["back"], DENY),
        ("NotIn", ["back"], ALLOW),
        ("NotIn", ["front"], DENY),
        ("Exists", [], ALLOW),
        ("DoesNotExist", [], DENY),
        ("Bogus", [], DENY),
    ],
)
def test_match_expressions(operator: str, values: list[str], expected: Expectation) -> None:
    selector = {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}
    assert (
        expect(
            with_policy(ingress(**{"from": [{"namespaceSelector": selector}]})),
            CLIENT,
            SERVER,
            5432,
        ).verdict
        is expected
    )


def test_policies_add_up() -> None:
    both = with_policy({"podSelector": {}, "ingress": []}, ingress(**{"from": [FRONT]}))
    found = expect(both, CLIENT, SERVER, 5432)
    assert (found.verdict, found.policies) == (ALLOW, ("db/p1",))


def test_egress_of_the_source_counts_as_well() -> None:
    closed = with_policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": []}, where="web")
    found = expect(closed, CLIENT, SERVER, 5432)
    assert found.verdict is DENY
    assert "from the source" in found.why
    to_db = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": "sql"}]}],
    }
    assert expect(with_policy(to_db, where="web"), CLIENT, SERVER, 5432).verdict is ALLOW


def test_an_address_outside_is_only_under_the_sources_egress() -> None:
    to = [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]
    block = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": to}]}
    rules = with_policy(block, where="web")
    assert expect(rules, CLIENT, End(address="203.0.113.5"), 443).verdict is ALLOW
    assert expect(rules, CLIENT, End(address="10.9.9.9"), 443).verdict is DENY
    assert expect(rules, CLIENT, End(address="2001:db8::1"), 443).verdict is DENY


def test_host_network_is_undefined_and_said_to_be() -> None:
    found = expect(
        with_policy({"podSelector": {}, "ingress": []}),
        End("web", {}, host_network=True),
        SERVER,
        5432,
    )
    assert found.verdict is UNDEFINED
    assert "node's network" in found.why


def test_unreadable_policies_are_not_taken_for_none() -> None:
    assert expect(store(*SPACES), CLIENT, SERVER, 5432, complete=False).verdict is UNDEFINED


def test_other_kinds_of_policy_are_named() -> None:
    crd = {"kind": "CustomResourceDefinition", "metadata": meta("ciliumnetworkpolicies.cilium.io")}
    assert not_evaluated(store(crd)) == ("CiliumNetworkPolicy",)


def test_end_of_a_pod_knows_its_named_ports() -> None:
    row = store(pod("pg-0", "db", "node-1", labels={"app": "pg"}, ip="10.0.0.9", port=5432)).get(
        "Pod", "db", "pg-0"
    )
    assert row is not None
    assert end_of(row).ports == {("http", "TCP"): 5432}


@pytest.mark.parametrize(
    ("protocol", "expected"), [("TCP", ALLOW), ("UDP", DENY)], ids=["its own", "another"]
)
def test_a_named_port_counts_with_its_own_protocol(protocol: str, expected: Expectation) -> None:
    rules = with_policy(ingress(ports=[{"port": "sql", "protocol": protocol}]))
    assert expect(rules, CLIENT, SERVER, 5432, protocol).verdict is expected
