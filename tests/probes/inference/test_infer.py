"""From matrices to the component that is at fault; the story of the network agent that differs on
one node above all."""

from __future__ import annotations

import pytest

from probes.inference.components import NOTHING, Surroundings
from probes.inference.explanation import infer
from probes.inference.icmp_senders import infer_senders
from probes.result import Cell, Component, Expectation, ResultClass
from probes.select.surroundings import surroundings
from tests.probes.cells import cell, story

NODES = ("node-1", "node-2", "node-3")
BAD = "node-3"


def story_cells(*, control: bool = True, verdict: ResultClass = ResultClass.REJECTED) -> list[Cell]:
    """nginx on two nodes (and marketplace itself as control) against marketplace on three; node-3
    rejects nginx."""
    sources = [("nginx", "node-1"), ("nginx", "node-2")] + (
        [("marketplace", "node-1")] if control else []
    )
    return [
        cell(
            source,
            ("marketplace", where),
            verdict if source[0] == "nginx" and where == BAD else ResultClass.OK,
        )
        for source in sources
        for where in NODES
    ]


def conclude(cells: list[Cell], around: Surroundings = NOTHING) -> Component:
    return infer(infer_senders(cells, around), around)[0].component


@pytest.mark.parametrize("verdict", [ResultClass.REJECTED, ResultClass.TIMEOUT_CONNECT])
def test_the_story_names_policy_enforcement_on_the_one_node(verdict: ResultClass) -> None:
    cells = infer_senders(story_cells(verdict=verdict))
    best = infer(cells)[0]
    assert best.component == Component("policy-enforcement", BAD)
    assert best.confidence > 0.8
    named = " ".join(c.claim for c in infer(cells))
    assert "node-1" not in named
    assert "node-2" not in named


def test_the_sender_is_inferred_from_the_pattern_and_said_to_be() -> None:
    rejected = [c for c in infer_senders(story_cells()) if c.main is ResultClass.REJECTED]
    assert {(c.sender, c.sender_source) for c in rejected} == {(BAD, "inferred")}
    assert "inferred" in infer(infer_senders(story_cells()))[0].claim


def test_a_sender_from_the_kernel_is_not_overruled() -> None:
    cells = [
        cell(("nginx", "node-1"), ("marketplace", BAD), ResultClass.REJECTED, sender="192.168.0.3"),
        *story_cells()[3:],
    ]
    assert (infer_senders(cells)[0].sender, infer_senders(cells)[0].sender_source) == (
        "192.168.0.3",
        "kernel",
    )


def test_without_the_control_namespace_it_asks_for_it() -> None:
    around = Surroundings({}, {}, {}, {}, namespaces=("nginx", "shop"), nodes=NODES)
    best = infer(infer_senders(story_cells(control=False), around), around)[0]
    assert best.component.name == BAD
    assert "control namespace (shop)" in best.next
    with_control = infer(infer_senders(story_cells(), around), around)[0]
    assert best.confidence < with_control.confidence


def test_the_drifted_agent_is_evidence() -> None:
    store = story()
    cells = story_cells()
    around = surroundings(store, cells)
    best = infer(infer_senders(cells, around), around)[0]
    assert best.component == Component("policy-enforcement", BAD)
    assert any("kube-router" in line and "bbbbbbbbbbbb" in line for line in best.evidence)


def test_rate_limited_rejections_are_not_called_flaky() -> None:
    cells = [
        cell(("nginx", "node-1"), ("marketplace", "node-1")),
        cell(("nginx", "node-1"), ("marketplace", BAD), ResultClass.REJECTED),
        cell(("marketplace", "node-1"), ("marketplace", BAD)),
    ]
    assert all("intermittently" not in c.claim for c in infer(infer_senders(cells)))


def test_all_sources_to_one_node_accuse_its_network() -> None:
    cells = [
        cell(
            (space, source),
            ("marketplace", where),
            ResultClass.TIMEOUT_CONNECT if where == BAD and source != BAD else ResultClass.OK,
        )
        for space, source in (("nginx", "node-1"), ("nginx", "node-2"), ("marketplace", "node-1"))
        for where in NODES
    ]
    assert conclude(cells) == Component("node-network", BAD)


def test_a_source_node_that_reaches_nothing_is_accused() -> None:
    cells = [
        cell(
            (space, source),
            ("marketplace", where),
            ResultClass.TIMEOUT_CONNECT if source == "node-1" else ResultClass.OK,
        )
        for space, source in (("nginx", "node-1"), ("nginx", "node-2"), ("marketplace", "node-1"))
        for where in ("node-2", "node-3")
    ]
    assert conclude(cells) == Component("node", "node-1")


def test_a_wrong_target_port_accuses_the_service_not_the_network() -> None:
    cells = [
        cell(source, ("marketplace", where), ResultClass.REFUSED, port=9999)
        for source in (("nginx", "node-1"), ("nginx", "node-2"), ("marketplace", "node-1"))
        for where in NODES
    ]
    around = Surroundings({}, {}, {}, {f"marketplace/marketplace-{n}": (8080,) for n in NODES})
    best = infer(cells, around)[0]
    assert best.component.kind == "service"
    assert "declares 8080, not 9999" in best.next
    assert not any(
        "policy" in c.component.kind or "node-network" in c.component.kind
        for c in infer(cells, around)
    )


def test_one_pod_that_does_not_listen() -> None:
    cells = [
        cell(
            source, ("marketplace", where), ResultClass.REFUSED if where == BAD else ResultClass.OK
        )
        for source in (("nginx", "node-1"), ("marketplace", "node-1"))
        for where in NODES
    ]
    assert conclude(cells) == Component("pod", f"marketplace/marketplace-{BAD}")


def test_a_service_without_endpoints() -> None:
    cells = [
        cell((space, "node-1"), ("marketplace", ""), ResultClass.REJECTED, service="identity")
        for space in ("nginx", "shop")
    ]
    around = Surroundings({}, {}, {"marketplace/identity": 0}, {})
    best = infer(infer_senders(cells, around), around)[0]
    assert best.component == Component("service", "marketplace/identity")
    assert "no ready endpoints" in best.claim


def test_service_address_bad_from_one_node_only_accuses_kube_proxy_there() -> None:
    cells = []
    for source in (("nginx", "node-1"), ("nginx", "node-2")):
        cells += [cell(source, ("marketplace", where)) for where in NODES]
        verdict = ResultClass.TIMEOUT_CONNECT if source[1] == "node-1" else ResultClass.OK
        cells.append(cell(source, ("marketplace", ""), verdict, service="identity"))
    around = Surroundings({}, {}, {"marketplace/identity": 3}, {})
    assert conclude(cells, around) == Component("kube-proxy", "node-1")


def test_a_service_that_fails_in_part_is_explained_by_its_pods() -> None:
    cells = [
        *story_cells(),
        cell(
            ("nginx", "node-1"),
            ("marketplace", ""),
            ResultClass.REJECTED,
            service="identity",
            tries=5,
            failed=2,
        ),
    ]
    assert conclude(cells) == Component("policy-enforcement", BAD)


def test_denied_as_written_accuses_the_policy_and_nothing_else() -> None:
    cells = [
        cell(
            ("nginx", "node-1"),
            ("marketplace", where),
            ResultClass.TIMEOUT_CONNECT,
            expected=Expectation.DENY,
        )
        for where in NODES
    ] + [cell(("marketplace", "node-1"), ("marketplace", where)) for where in NODES]
    found = infer(cells)
    assert [c.component.kind for c in found] == ["network-policy"]


def test_open_where_policy_forbids_is_a_finding() -> None:
    cells = [
        cell(("nginx", "node-1"), ("marketplace", where), expected=Expectation.DENY)
        for where in NODES
    ]
    assert infer(cells)[0].component.kind == "policy-enforcement"
    assert "not enforced" in infer(cells)[0].claim


def test_exec_failure_is_never_blocked() -> None:
    cells = [
        cell(("nginx", "node-1"), ("marketplace", where), ResultClass.EXEC_FAILED)
        for where in NODES
    ]
    found = infer(cells)
    assert [c.component.kind for c in found] == ["not-measured"]
    assert found[0].confidence == 0.0
    partly = [*cells, *[cell(("marketplace", "node-1"), ("marketplace", where)) for where in NODES]]
    assert infer(partly)[0].component.kind == "none"


def test_all_good_is_stated_with_its_bound() -> None:
    found = infer([cell(("nginx", "node-1"), ("marketplace", where)) for where in NODES])
    assert "none of 15 failed (so at most 20% do)" in found[0].claim
