"""The rung that cannot be taken back: only when asked for, said before, recorded, and never left
waiting."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.api.mode import Mode
from cluster.errors import Forbidden, OutcomeUnknown
from probes import catalogue
from probes.result import Component, ProbePlan, ResultClass
from tests.probes.cells import node, pod, story
from tests.probes.fake import FakeCluster
from tests.probes.questions.test_connectivity import story_network

OTHERS: list[tuple[str, dict[str, str]]] = [
    ("connectivity", {"from": "nginx/nginx-1", "to": "marketplace"}),
    ("dns", {"namespace": "nginx/nginx-1"}),
    ("mtu", {"from": "nginx/nginx-1", "to": "marketplace"}),
    ("egress", {"namespace": "nginx/nginx-1", "target": "203.0.113.9:443"}),
]


async def planned(
    cluster: FakeCluster, mode: Mode = Mode.WRITE, **arguments: str
) -> tuple[Any, ProbePlan]:
    cluster.mode = mode
    context = cluster.context()
    given = {
        "from": "nginx/nginx-1",
        "to": "marketplace",
        "control": "none",
        "how": "ephemeral",
        **arguments,
    }
    return context, await catalogue.plan("connectivity", context, given)


async def test_the_plan_says_that_it_stays() -> None:
    _, plan = await planned(FakeCluster(story(), story_network))
    assert plan.needs_agreement
    added = [p for p in plan.creates if p.ref.kind == "EphemeralContainer"]
    assert len(added) == 1
    assert added[0].ref.namespace == "nginx"
    assert added[0].ref.name.startswith("nginx-1/stanch-probe-")
    assert added[0].accepted
    assert any("CANNOT BE REMOVED" in warning for warning in plan.warnings)
    assert "ephemeral container" in plan.method
    assert ("patch", "pods/ephemeralcontainers") in {
        (right.verb, right.resource) for right in plan.rights
    }


async def test_never_without_being_asked() -> None:
    for mode in Mode:
        for denied in (frozenset[str](), frozenset({"create pods"})):
            cluster = FakeCluster(story(), story_network, denied=denied)
            context, plan = await planned(cluster, mode, how="")
            await catalogue.run(plan, context)
            assert "patch ephemeralcontainers" not in cluster.log


async def test_read_only_refuses_it_in_one_sentence_and_asks_the_server_nothing() -> None:
    for name, given in OTHERS:
        cluster = FakeCluster(story(), story_network)
        plan = await catalogue.plan(name, cluster.context(), {**given, "how": "ephemeral"})
        assert plan.refused.startswith(
            "An ephemeral container stays in the client's pod for good, so it needs --write: "
        )
        assert "how=exec" in plan.refused
        assert plan.refused.count(". ") == 0
        assert cluster.log == []


async def test_where_the_ladder_stops_before_it_the_plan_says_so() -> None:
    """No pod may be created: the client itself is measured in, and what is left after that is named
    with what it takes."""
    for mode, word in (
        (Mode.READ_ONLY, "how=ephemeral with --write"),
        (Mode.WRITE, "how=ephemeral, whose container stays"),
    ):
        _, plan = await planned(
            FakeCluster(story(), story_network, denied=frozenset({"create pods"})), mode, how=""
        )
        assert plan.executes
        assert [warning for warning in plan.warnings if word in warning], plan.warnings


async def test_it_measures_from_the_clients_own_network_and_is_told_to_stay() -> None:
    cluster = FakeCluster(story(), story_network, denied=frozenset({"create pods"}))
    context, plan = await planned(cluster)
    result = await catalogue.run(plan, context)
    assert result.conclusions[0].component == Component("policy-enforcement", "node-3")
    mine = [cell for cell in result.cells if cell.source.how == "ephemeral container in the client"]
    assert {cell.source.pod for cell in mine} == {"nginx-1"}
    assert cluster.log.count("patch ephemeralcontainers") == 1
    assert [ref.kind for ref in result.left_behind] == ["EphemeralContainer"]
    assert result.complete
    assert not any("not measured" in problem or problem == "" for problem in result.problems)
    assert cluster.ledger.rows == ()
    assert not any(line.startswith("delete") for line in cluster.log), (
        "the pod of another owner is never deleted"
    )


async def test_it_is_in_the_record_before_it_is_sent() -> None:
    cluster = FakeCluster(story(), story_network)
    seen: list[bool] = []
    cluster.on_create = lambda name: seen.append(
        any(name in intent.ref.name for intent in cluster.ledger.rows)
    )
    context, plan = await planned(cluster)
    await catalogue.run(plan, context)
    assert seen
    assert all(seen)


async def test_one_that_does_not_start_is_not_a_blocked_connection() -> None:
    cluster = FakeCluster(
        story(), story_network, stuck="ErrImageNeverPull", denied=frozenset({"create pods"})
    )
    context, plan = await planned(
        cluster, Mode.WRITE, **{"from": "nginx/nginx-1", "to": "marketplace/identity-1"}
    )
    result = await catalogue.run(plan, context)
    mine = [cell for cell in result.cells if cell.source.how == "ephemeral container in the client"]
    assert {cell.main for cell in mine} == {ResultClass.NOT_MEASURED}
    assert any("ErrImageNeverPull" in problem for problem in result.problems)
    assert not result.complete


async def test_a_lost_answer_counts_as_added() -> None:
    cluster = FakeCluster(story(), story_network, denied=frozenset({"create pods"}))

    def lose(name: str) -> None:
        raise OutcomeUnknown("patch: no answer")

    cluster.on_create = lose
    context, plan = await planned(cluster)
    result = await catalogue.run(plan, context)
    assert [ref.kind for ref in result.left_behind] == ["EphemeralContainer"]


@pytest.mark.parametrize(
    ("arguments", "settings", "word"),
    [
        ({}, {"denied": frozenset({"patch pods/ephemeralcontainers"})}, "may not be added"),
        (
            {},
            {"refuse_dry_run": Forbidden("violates PodSecurity", status=403)},
            "violates PodSecurity",
        ),
        ({"how": "magic"}, {}, "no way 'magic'"),
        ({"from": "empty", "to": "marketplace"}, {}, "no running client"),
        ({"from": "bare/bare-1"}, {}, "cannot be pulled would wait"),
        ({"from": "nginx/static-1"}, {}, "static pod"),
    ],
)
async def test_what_it_cannot_do_is_said_in_one_sentence(
    arguments: dict[str, Any], settings: dict[str, Any], word: str
) -> None:
    static = pod("static-1", "nginx", "node-1", ip="10.244.1.77")
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    bare = pod("bare-1", "bare", "node-9", ip="10.244.9.7", image="scratch:1")
    bare["status"]["containerStatuses"] = []
    rows = story(
        more=(static, bare, node("node-9"), {"kind": "Namespace", "metadata": {"name": "empty"}})
    )
    _, plan = await planned(FakeCluster(rows, story_network, **settings), **arguments)
    assert word in " ".join([plan.refused, *plan.warnings])
    assert not [p for p in plan.creates if p.ref.kind == "EphemeralContainer"]


@pytest.mark.parametrize(("name", "given"), OTHERS[1:])
async def test_the_other_probes_take_the_same_rungs(name: str, given: dict[str, str]) -> None:
    context = FakeCluster(story(), story_network, mode=Mode.WRITE).context()
    plan = await catalogue.plan(name, context, {**given, "how": "ephemeral"})
    assert [
        p.ref.name.partition("/")[0] for p in plan.creates if p.ref.kind == "EphemeralContainer"
    ] == ["nginx-1"]
    inside = await catalogue.plan(name, context, {**given, "how": "exec"})
    assert inside.creates == ()
    assert inside.executes
    assert "no way" in (await catalogue.plan(name, context, {**given, "how": "magic"})).refused
