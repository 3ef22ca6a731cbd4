"""What changes between the plan and its confirmation, files that are not what they should be, and
nodes with more pods than a budget lets go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actions import catalogue
from actions.plan import ActionPlan, Outcome
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import OLD, POLICY, SCENARIOS, SECRET, Json, meta, nodes, pod
from tests.probes.cells import node

TRACKED = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}


def put(api: FakeApi, path: str, *tokens: str, value: Any) -> None:
    """Sets one field of an object on the server and in the live state."""
    found = api.paths[path]
    here = found
    for token in tokens[:-1]:
        here = here.setdefault(token, {})
    here[tokens[-1]] = value
    api.put(found)


MEANWHILE = {
    "cordon": ("spec", "podCIDR", "10.9.0.0/24"),
    "scale": ("spec", "minReadySeconds", 600),
    "rollout-pause": ("spec", "template", {"spec": {"containers": [{"name": "x", "image": OLD}]}}),
    "suspend-cronjob": ("spec", "schedule", "0 0 1 1 *"),
    "expand-claim": ("spec", "volumeName", "pv-9"),
    "delete-network-policy": ("spec", "policyTypes", ["Egress"]),
    "delete-volume-attachment": ("spec", "attacher", "other.test"),
    "remove-finalizer": ("spec", "volumeName", "pv-9"),
    "delete-pod": ("spec", "activeDeadlineSeconds", 9),
}


@pytest.mark.parametrize("name", MEANWHILE)
async def test_a_spec_that_changes_meanwhile_is_shown_again(name: str) -> None:
    scenario, journal = SCENARIOS[name], FakeJournal()
    api = FakeApi(scenario.objects)
    api.recorded = journal.recorded
    api.on_sleep = lambda: scenario.effect(api)
    plan = await catalogue.plan(name, api.context(), scenario.arguments)
    *tokens, value = MEANWHILE[name]
    put(api, plan.targets[0].path, *map(str, tokens), value=value)
    result = await catalogue.run(plan, plan.confirmation, api.context(), journal)
    assert result.outcome is Outcome.REFUSED
    assert "another field of the spec" in result.sentence
    assert api.sent == []
    assert result.again is not None
    again = result.again
    result = await catalogue.run(again, again.confirmation, api.context(), journal)
    assert result.outcome is Outcome.DONE, result.sentence
    if name == "delete-network-policy":
        undo = await catalogue.plan("undo", api.context(), {"change": "any"})
        await catalogue.run(undo, undo.confirmation, api.context(), FakeJournal())
        assert api.paths[plan.targets[0].path]["spec"]["policyTypes"] == ["Egress"]


async def test_a_tool_that_takes_over_meanwhile_is_shown_before_it_is_done() -> None:
    scenario = SCENARIOS["scale"]
    api = FakeApi(scenario.objects)
    plan = await catalogue.plan("scale", api.context(), scenario.arguments)
    put(api, plan.targets[0].path, "metadata", "annotations", value=TRACKED)
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.REFUSED
    assert "Argo CD manages Deployment shop/web" in result.sentence


async def test_a_deleted_policy_that_a_tool_creates_again_is_told() -> None:
    managed: Json = {**POLICY, "metadata": meta("deny-all", annotations=TRACKED)}
    api = FakeApi([managed])
    plan = await catalogue.plan("delete-network-policy", api.context(), {"policy": "shop/deny-all"})
    assert any("Argo CD" in each for each in plan.warnings)


# ---- drains


def full(count: int, owners: int = 1) -> list[Json]:
    rows = [node("node-1"), node("node-2")]
    for number in range(count):
        row = pod(f"web-{number}")
        row["metadata"]["ownerReferences"][0]["uid"] = f"uid-{number % owners}"
        rows.append(row)
    return rows


async def test_a_node_with_more_pods_than_usual_is_drained() -> None:
    api = FakeApi(full(250))
    plan = await catalogue.plan("drain", api.context(), {"node": "node-2"})
    assert plan.refused == ""
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert len(api.sent) == 251


async def test_pods_that_a_budget_holds_are_asked_for_one_by_one_and_in_turn() -> None:
    api = FakeApi(full(200, owners=2), disruptions=0)
    plan = await catalogue.plan("drain", api.context(), {"node": "node-2"})
    told: list[str] = []
    result = await catalogue.run(
        plan, plan.confirmation, api.context(), FakeJournal(), told.append, lambda: len(told) > 4
    )
    assert result.outcome is Outcome.PART
    assert "stopped by a human" in result.sentence
    asked = [path for _, path, body in api.sent if body == "blocked"]
    assert len(asked) < 20, "two a round, not two hundred"
    assert len(set(asked)) > 2, "another one each round"


async def test_two_replicas_on_one_node_are_the_last_ones() -> None:
    api = FakeApi([*nodes(), *full(2)[2:]])
    plan = await catalogue.plan("drain", api.context(), {"node": "node-2"})
    assert any("Without any ready replica" in each for each in plan.blast.lines)


# ---- taints


async def tainted(rows: list[Json], effect: str) -> ActionPlan:
    arguments = {"node": "node-2", "taint": f"broken:{effect}"}
    return await catalogue.plan("add-taint", FakeApi(rows).context(), arguments)


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
async def test_a_taint_leaves_enough_nodes_as_a_cordon_does(effect: str) -> None:
    assert (
        "too few" in (await tainted([node("node-2"), node("node-3", ready=False)], effect)).refused
    )
    assert (await tainted(nodes(), effect)).refused == ""


async def test_no_execute_says_what_it_ends() -> None:
    plan = await tainted([*nodes(), *full(2)[2:]], "NoExecute")
    assert plan.refused == ""
    assert any("without any ready replica" in each for each in plan.warnings)
    lonely = pod("lonely")
    lonely["metadata"]["ownerReferences"] = []
    plan = await tainted([*nodes(), lonely], "NoExecute")
    assert "no controller creates them again" in plan.refused
    assert (await tainted([*nodes(), lonely], "NoSchedule")).refused == ""


# ---- files of a Secret

BAD_FILES = {
    "empty": (b"", "neither a Secret manifest"),
    "binary": (bytes(range(256)) * 4, "cannot be read: UnicodeDecodeError"),
    "prose": (b"the password is on the other page\n", "neither a Secret manifest"),
    "huge": (b"password=" + b"x" * (1 << 20), "at most 1,048,576 bytes"),
    "deep": (b"[" * 100_000, "neither a Secret manifest"),
    "another key": (b"user=web\n", "has no key password"),
    "no value": (b"password=\n", "has no value for password"),
    "another name": (
        b"kind: Secret\nmetadata: {name: other}\nstringData: {password: x}\n",
        "holds Secret shop/other, not Secret shop/login",
    ),
    "another namespace": (
        b"kind: Secret\nmetadata: {name: login, namespace: test}\nstringData: {password: x}\n",
        "holds Secret test/login, not Secret shop/login",
    ),
    "not base64": (b"kind: Secret\ndata: {password: '***'}\n", "is not base64"),
    "a list": (b"kind: Secret\ndata: [password]\n", "has no key password"),
    "no mapping": (b"kind: Secret\nmetadata: login\nstringData: password\n", "has no key password"),
    "a bad date": (b"kind: Secret\nstringData: {user: 2024-13-45}\n", "has no key password"),
    "a ConfigMap": (b"kind: ConfigMap\ndata: {password: x}\n", "neither a Secret manifest"),
}


async def restored(content: bytes, tmp_path: Path) -> tuple[FakeApi, ActionPlan]:
    path, api = tmp_path / "login", FakeApi([SECRET])
    path.write_bytes(content)
    arguments = {"secret": "shop/login", "file": str(path), "keys": "password"}
    return api, await catalogue.plan("restore-secret-keys", api.context(), arguments)


@pytest.mark.parametrize("name", BAD_FILES)
async def test_a_wrong_file_is_refused_without_its_content(name: str, tmp_path: Path) -> None:
    content, word = BAD_FILES[name]
    api, plan = await restored(content, tmp_path)
    assert word in plan.refused
    assert api.dry_runs == []


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"kind: Secret\nstringData: {password: 0123}\n", "MDEyMw=="),
        (b"kind: Secret\nstringData: {password: yes}\n", "eWVz"),
        (b"\xef\xbb\xbfpassword=a=b\r\n", "YT1i"),
        (b'{"kind": "Secret", "data": {"password": "YQ=="}}', "YQ=="),
    ],
)
async def test_values_arrive_as_they_stand_in_the_file(
    content: bytes, stored: str, tmp_path: Path
) -> None:
    api, plan = await restored(content, tmp_path)
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert api.paths["/api/v1/namespaces/shop/secrets/login"]["data"]["password"] == stored


# ---- stop


async def test_the_wait_for_an_effect_can_be_ended() -> None:
    scenario = SCENARIOS["scale"]
    api = FakeApi(scenario.objects)
    plan = await catalogue.plan("scale", api.context(), scenario.arguments)
    told: list[str] = []
    result = await catalogue.run(
        plan, plan.confirmation, api.context(), FakeJournal(), told.append, lambda: bool(told)
    )
    assert result.outcome is Outcome.SENT_NOT_SEEN
    assert "the wait for its effect was ended: 3 of 5 pods are ready" in result.sentence


async def test_what_is_stopped_while_it_is_checked_again_is_recorded() -> None:
    api, journal = FakeApi(SCENARIOS["cordon"].objects), FakeJournal()
    plan = await catalogue.plan("cordon", api.context(), SCENARIOS["cordon"].arguments)

    async def frozen(verb: str, resource: str, **attributes: Any) -> tuple[bool, str]:
        raise asyncio.CancelledError

    api.review = frozen  # type: ignore[method-assign]  # the server stands still
    with pytest.raises(asyncio.CancelledError):
        await catalogue.run(plan, plan.confirmation, api.context(), journal)
    (result,) = journal.results
    assert result.outcome is Outcome.REFUSED
    assert "stopped before it was sent" in result.sentence
    assert journal.intents == []
