"""Single actions and their undo: what they refuse, show, and take back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actions import catalogue
from actions.parameters import workload
from actions.plan import Outcome
from cluster.kube.objects import Ref
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import SCENARIOS, job
from tests.actions.scenarios import pod as web_pod
from tests.actions.test_gate import NODE, api, planned, recreate
from tests.probes.cells import meta, node, pod

DEPLOYMENT = {"kind": "Deployment", "name": "web", "controller": True}


@pytest.mark.parametrize(
    ("nodes", "word"),
    [
        ((node("node-2"),), "too few"),
        ((node("node-2"), node("node-1", ready=False)), "too few"),
        (
            (
                node("node-2"),
                node("node-1"),
                node("node-3", unschedulable=True),
                node("node-4", ready=False),
            ),
            "too few",
        ),
        ((node("node-2", unschedulable=True), node("node-1")), "already"),
        ((node("node-1"),), "does not exist"),
        (
            (
                node("node-2"),
                node(
                    "node-1",
                    taints=(
                        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
                    ),
                ),
            ),
            "too few",
        ),
    ],
)
async def test_cordon_refuses(nodes: tuple[dict[str, Any], ...], word: str) -> None:
    plan, _ = await planned(FakeApi(list(nodes)))
    assert word in plan.refused


async def test_cordon_shows_what_is_there() -> None:
    rows = [
        node("node-1"),
        node("node-2"),
        {"kind": "ReplicaSet", "metadata": meta("web-1", "shop", ownerReferences=[DEPLOYMENT])},
        pod("web-1-x", "shop", "node-2", owner=("ReplicaSet", "web-1")),
        pod("agent-x", "kube-system", "node-2", owner=("DaemonSet", "agent")),
        pod("waiting", "shop", "", phase="Pending"),
    ]
    plan, _ = await planned(FakeApi(rows))
    text = " ".join(plan.blast.lines)
    assert "2 pods stay on node-2, 1 of them from DaemonSets" in text
    assert "Only replica there: Deployment shop/web" in text
    assert any("1 pod waits for a node already; it will have" in w for w in plan.warnings)
    assert "spec.unschedulable: false -> true" in plan.change.summary
    assert plan.undo is not None
    assert plan.undo.kubectl == "kubectl uncordon node-2"


async def test_uncordon_says_who_cordoned_and_that_the_node_is_not_ready() -> None:
    document = node("node-2", unschedulable=True, ready=False)
    document["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-cordon",
            "operation": "Update",
            "time": "2026-11-19T01:00:00Z",
            "fieldsV1": {"f:spec": {"f:unschedulable": {}}},
        }
    ]
    plan, _ = await planned(FakeApi([document, node("node-1")]), action="uncordon")
    assert plan.refused == ""
    assert any("kubectl-cordon at 2026-11-19 01:00 UTC" in w for w in plan.warnings)
    assert any("not start until it is Ready" in w for w in plan.warnings)


async def test_undo_restores_what_the_record_holds() -> None:
    fake, journal = api(), FakeJournal()
    fake.recorded = journal.recorded
    plan, context = await planned(fake)
    await catalogue.run(plan, "node-2", context, journal)
    undo = await catalogue.plan("undo", context, {"change": "any"})
    assert undo.refused == ""
    assert undo.change.kubectl == "kubectl uncordon node-2"
    result = await catalogue.run(undo, undo.confirmation, context, FakeJournal())
    assert result.outcome is Outcome.DONE
    assert result.observed == "spec.unschedulable is false"
    assert not fake.paths[NODE]["spec"]["unschedulable"]


@pytest.mark.parametrize(
    ("meanwhile", "word"),
    [
        (lambda fake: recreate(fake), "created again since"),
        (lambda fake: fake.drop(NODE), "does not exist"),
        (lambda fake: fake.put(node("node-2")), "nothing to undo"),
    ],
)
async def test_undo_touches_only_what_is_as_it_was_left(meanwhile: Any, word: str) -> None:
    fake, journal = api(), FakeJournal()
    fake.recorded = journal.recorded
    plan, context = await planned(fake)
    await catalogue.run(plan, "node-2", context, journal)
    meanwhile(fake)
    undo = await catalogue.plan("undo", context, {"change": "any"})
    assert word in undo.refused
    assert len(fake.sent) == 1


async def test_undo_refuses_another_cluster_and_an_unknown_change() -> None:
    fake = api()
    context = fake.context()
    assert "has no change" in (await catalogue.plan("undo", context, {"change": "x"})).refused
    fake.recorded = lambda _: {"server": "https://other:6443", "targets": []}
    assert "not on this cluster" in (await catalogue.plan("undo", context, {"change": "x"})).refused


@pytest.mark.parametrize(
    "text", ["deployment/shop/web", "shop/deployment/web", "shop/Deployment/web"]
)
def test_a_workload_is_written_in_either_order(text: str) -> None:
    assert workload("Deployment").parse(text) == Ref("Deployment", "shop", "web")


@pytest.mark.parametrize("text", ["web", "deployment/web", "shop/cronjob/web", "a/deployment/b/c"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="KIND/NAMESPACE/NAME"):
        workload("Deployment").parse(text)


async def test_surplus_jobs_are_deleted_in_batches_the_oldest_first() -> None:
    jobs = [job(f"j-{n}", finished=False, created=f"2026-11-2{n}T01:00:00Z") for n in range(4)]
    arguments = {"namespace": "shop", "selector": "app=web", "which": "running", "most": "2"}
    plan = await catalogue.plan("delete-jobs", FakeApi(jobs).context(), arguments)
    assert [target.ref.name for target in plan.targets] == ["j-1", "j-0"]
    assert "the 2 newest stay" in plan.change.summary


async def test_jobs_are_named_by_their_cronjob_where_no_label_tells_them_apart() -> None:
    jobs = [job(f"j-{n}", finished=False, created="2026-11-20T01:00:00Z") for n in range(3)]
    for each, owner in zip(jobs, ("report", "other", "report"), strict=True):
        each["metadata"]["ownerReferences"] = [
            {"apiVersion": "batch/v1", "kind": "CronJob", "name": owner, "uid": owner}
        ]
    where = {"namespace": "shop", "which": "running"}
    context = FakeApi(jobs).context()
    plan = await catalogue.plan("delete-jobs", context, {**where, "cronjob": "report"})
    assert {target.ref.name for target in plan.targets} == {"j-0", "j-2"}
    assert "awk '$2+0>0 && $3==\"report\" {print $1}' | head -n 2 |" in plan.change.kubectl
    assert "Name the CronJob" in (await catalogue.plan("delete-jobs", context, where)).refused


@pytest.mark.parametrize(("where", "refused"), [("node-9", ""), ("node-1", "is Ready")])
async def test_a_stuck_deletion_is_forced_only_when_the_node_is_lost(
    where: str, refused: str
) -> None:
    stuck = web_pod("web-2-a", where, deletionTimestamp="2026-11-21T02:00:00Z")
    there = FakeApi([node("node-1"), stuck]).context()
    plan = await catalogue.plan("delete-pod", there, {"pod": "shop/web-2-a"})
    assert "grace=0 forces it" in plan.refused
    plan = await catalogue.plan("delete-pod", there, {"pod": "shop/web-2-a", "grace": "0"})
    assert refused in plan.refused
    assert bool(plan.refused) is bool(refused)


async def test_a_pod_that_leaves_during_a_drain_is_no_failure() -> None:
    scenario = SCENARIOS["drain"]
    fake, journal = FakeApi(scenario.objects), FakeJournal()
    context = fake.context()
    plan = await catalogue.plan("drain", context, scenario.arguments)
    fake.drop(plan.targets[-1].path)
    result = await catalogue.run(plan, plan.confirmation, context, journal)
    assert result.outcome is Outcome.DONE, result.sentence
    assert result.targets[-1].sentence == "it had left already"
    assert len(journal.finished) == len(plan.targets)


FROZEN = {"Pod": "no answer within 20 s; the server is slow or frozen."}


@pytest.mark.parametrize(
    ("action", "arguments", "kind"),
    [
        ("drain", {"node": "node-2"}, "Pod"),
        ("add-taint", {"node": "node-2", "taint": "broken:NoExecute"}, "Pod"),
        ("delete-network-policy", {"policy": "shop/deny"}, "Pod"),
        ("delete-network-policy", {"policy": "shop/deny"}, "NetworkPolicy"),
        ("remove-finalizer", SCENARIOS["remove-finalizer"].arguments, "Pod"),
    ],
)
async def test_what_rests_on_objects_that_were_not_read_is_refused(
    action: str, arguments: Mapping[str, str], kind: str
) -> None:
    policy = {"kind": "NetworkPolicy", "metadata": meta("deny", "shop"), "spec": {}}
    fake = FakeApi(
        [
            node("node-1"),
            node("node-2"),
            pod("web-1-x", "shop", "node-2", owner=("ReplicaSet", "web-1")),
            policy,
            *SCENARIOS["remove-finalizer"].objects,
        ]
    )
    plan = await catalogue.plan(action, fake.context(unavailable={kind: "forbidden"}), arguments)
    assert "cannot be read (forbidden)" in plan.refused
    assert not (await catalogue.plan(action, fake.context(), arguments)).refused


async def test_a_volume_is_not_out_of_use_because_pods_were_not_read() -> None:
    """Nor where its node is there and lost."""
    attachment = SCENARIOS["delete-volume-attachment"].objects[-1]
    on = attachment["spec"]["nodeName"]
    fake = FakeApi([attachment, node(on, ready=False)])
    for kind in ("Pod", "PersistentVolume"):
        context = fake.context(unavailable={kind: "forbidden"})
        plan = await catalogue.plan("delete-volume-attachment", context, {"attachment": "csi-1"})
        used = next(each for each in plan.preconditions if "use the volume" in each.question)
        assert (used.held, "cannot be read" in used.seen) == (None, True)


async def test_pods_and_budgets_that_were_not_read_are_not_told_as_none() -> None:
    web = pod("web-1-x", "shop", "node-2", owner=("ReplicaSet", "web-1"))
    fake = FakeApi([node("node-1"), node("node-2"), web])
    plan = await catalogue.plan("cordon", fake.context(unavailable=FROZEN), {"node": "node-2"})
    assert not plan.refused
    assert plan.blast.lines == (
        "No running pod is affected; the pods cannot be read (no answer within 20 s; the server is "
        "slow or frozen), so how many run there is not known.",
    )
    blind = fake.context(unavailable={"PodDisruptionBudget": "forbidden"})
    said = "disruption budgets cannot be read (forbidden); "
    evicted = await catalogue.plan("evict-pod", blind, {"pod": "shop/web-1-x"})
    assert f"{said}the server asks them" in [each.seen for each in evicted.preconditions]
    drained = await catalogue.plan("drain", blind, {"node": "node-2"})
    assert f"{said}the drain waits for each" in drained.warnings
    deleted = await catalogue.plan("delete-pod", blind, {"pod": "shop/web-1-x"})
    assert any(each.startswith(said) for each in deleted.warnings)


async def test_a_drain_does_not_count_a_pod_that_has_ended_as_staying() -> None:
    rows = [
        node("node-1"),
        node("node-2"),
        pod("web-1-x", "shop", "node-2", owner=("ReplicaSet", "web-1")),
        pod("agent-x", "kube-system", "node-2", owner=("DaemonSet", "agent")),
        pod("report-x", "shop", "node-2", owner=("Job", "report"), phase="Succeeded"),
    ]
    plan = await catalogue.plan("drain", FakeApi(rows).context(), {"node": "node-2"})
    assert plan.blast.lines[0] == (
        "1 pod ends and starts elsewhere; 1 stays (DaemonSets, static pods)."
    )
