"""Rollouts of each kind of workload: which revisions there are, and what a new template does to its
pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actions import catalogue
from actions.changes.rollout import rollout_state
from actions.plan import ActionPlan, Outcome
from cluster.errors import Forbidden
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import (
    NEW,
    OLD,
    WEB,
    Json,
    deployment,
    labelled,
    owner,
    template,
)

KINDS = {"StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
ROLLED = {
    "StatefulSet": {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3},
    "DaemonSet": {
        "desiredNumberScheduled": 3,
        "currentNumberScheduled": 3,
        "updatedNumberScheduled": 3,
        "numberReady": 3,
    },
}


def workload(kind: str, status: Mapping[str, Any] | None = None, **spec: Any) -> Json:
    count = {"replicas": 3} if kind == "StatefulSet" else {}
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": labelled("web"),
        "spec": {**count, **selector, "template": template(NEW), **spec},
        "status": {**ROLLED[kind], **(status or {})},
    }


def revision(kind: str, number: int, image: str, of: str = "web") -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": labelled(f"{of}-{number}", ownerReferences=owner(kind, of)),
        "data": {"spec": {"template": {**template(image), "$patch": "replace"}}},
        "revision": number,
    }


def history(kind: str, status: Mapping[str, Any] | None = None, **spec: Any) -> FakeApi:
    """A workload with the revisions 1, 4 and 5, of which the last one runs, and one of another
    workload whose pods have the same label."""
    older = "registry.test/web@sha256:" + "c" * 64
    rows = [revision(kind, n, image) for n, image in ((5, NEW), (1, older), (4, OLD))]
    return FakeApi([workload(kind, status, **spec), *rows, revision(kind, 9, older, "other")])


async def undo(api: FakeApi, kind: str, **more: str) -> ActionPlan:
    given = {"workload": f"{kind.lower()}/shop/web", **more}
    return await catalogue.plan("rollout-undo", api.context(), given)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_revision_before_comes_from_controller_revisions(kind: str) -> None:
    api, journal = history(kind), FakeJournal()
    api.recorded = journal.recorded
    path = f"/apis/apps/v1/namespaces/shop/{KINDS[kind]}/web"
    before = api.paths[path]["spec"]["template"]
    plan = await undo(api, kind)
    assert plan.refused == ""
    assert "of revision 4 replaces that of 5: web image" in plan.change.summary
    assert f"{kind.lower()}/web -n shop --to-revision=4" in plan.change.kubectl
    result = await catalogue.run(plan, plan.confirmation, api.context(), journal)
    assert result.outcome is Outcome.DONE, result.sentence
    assert api.paths[path]["spec"]["template"] == template(OLD), "without $patch"
    back = await catalogue.plan("undo", api.context(), {"change": "any"})
    result = await catalogue.run(back, back.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert api.paths[path]["spec"]["template"] == before


@pytest.mark.parametrize("kind", KINDS)
async def test_only_a_revision_of_its_own_can_be_chosen(kind: str) -> None:
    assert "revision 1 replaces" in (await undo(history(kind), kind, revision="1")).change.summary
    for number in ("5", "9"):
        told = (await undo(history(kind), kind, revision=number)).refused
        assert f"no other revision {number}; revisions: 1, 4, 5" in told


@pytest.mark.parametrize("kind", KINDS)
async def test_without_revisions_nothing_is_guessed(kind: str) -> None:
    alone = await undo(FakeApi([workload(kind)]), kind)
    assert "revisions: none" in alone.refused
    lagging = history(kind, {"observedGeneration": 0})
    lagging.paths[f"/apis/apps/v1/namespaces/shop/{KINDS[kind]}/web"]["metadata"]["generation"] = 2
    assert "try again" in (await undo(lagging, kind)).refused


async def test_revisions_that_cannot_be_read_are_named() -> None:
    api = history("StatefulSet")

    class Closed(FakeApi):
        async def get_json(self, path: str, params: Any = None, **more: Any) -> Any:
            if path.endswith("controllerrevisions"):
                raise Forbidden("HTTP 403 Forbidden", status=403)
            return await super().get_json(path, params, **more)

    closed = Closed(list(api.paths.values()))
    told = (await undo(closed, "StatefulSet")).refused
    assert "controllerrevisions of StatefulSet shop/web cannot be read: HTTP 403" in told


async def test_a_stateful_set_that_waits_for_a_bad_pod_needs_it_deleted() -> None:
    stuck = {"updatedReplicas": 1, "readyReplicas": 2}
    plan = await undo(history("StatefulSet", stuck), "StatefulSet")
    assert any("delete it afterwards" in each for each in plan.warnings)
    plan = await undo(history("StatefulSet", stuck, podManagementPolicy="Parallel"), "StatefulSet")
    assert not any("delete it afterwards" in each for each in plan.warnings)


@pytest.mark.parametrize("kind", KINDS)
async def test_on_delete_replaces_no_pod(kind: str) -> None:
    api = history(kind, updateStrategy={"type": "OnDelete"})
    given = {"workload": f"{kind.lower()}/shop/web"}
    restart = await catalogue.plan("rollout-restart", api.context(), given)
    assert "OnDelete" in restart.refused
    back = await undo(api, kind)
    assert back.refused == ""
    assert "No pod is replaced by itself" in back.blast.lines[0]
    result = await catalogue.run(back, back.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, "it does not wait for pods"


async def test_a_partition_keeps_the_first_pods() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    plan = await undo(history("StatefulSet", updateStrategy=strategy), "StatefulSet")
    assert plan.blast.lines[0].startswith("1 pod is replaced")
    assert "first 2 pods keep" in plan.blast.lines[1]
    partly = {"updatedReplicas": 1}
    assert rollout_state(workload("StatefulSet", partly, updateStrategy=strategy))[0]
    assert not rollout_state(workload("StatefulSet", partly))[0]


async def test_what_changes_in_a_paused_rollout_waits() -> None:
    api = FakeApi([deployment(paused=True), *WEB[1:]])
    given = {"workload": "deployment/shop/web", "container": "web", "image": OLD}
    plan = await catalogue.plan("set-image", api.context(), given)
    assert plan.blast.lines == ("Its rollout is paused: no pod is replaced until it is resumed.",)
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    resume = await catalogue.plan(
        "rollout-resume", api.context(), {"workload": "deployment/shop/web"}
    )
    assert any(each.startswith("3 pods are replaced") for each in resume.blast.lines)
