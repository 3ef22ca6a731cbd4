"""Actions on real kubelets, where what counts is that containers end and start: drain within a budget,
delete, evict, taint, rollouts forth and back. Each is undone where it can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from actions import catalogue
from actions.plan import Outcome
from tests.actions.real import Json, RealCluster, acting
from tests.rungs.nodes import Lab
from tests.rungs.programs.images import BUSYBOX

pytestmark = pytest.mark.nodes

NS, NODE = "acting", "node-2"
ROOT = f"/apis/apps/v1/namespaces/{NS}"
WEB = f"deployment/{NS}/web"
MISSING = f"stanch.test/busybox@sha256:{'c' * 64}"


def workload(kind: str, name: str, **spec: Any) -> Json:
    labels = {"app": name}
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sleep", "86400"],
        "resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "32Mi"}},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    }


BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
}


class Acting:
    """The namespace of the test on the lab."""

    def __init__(self, real: RealCluster) -> None:
        self.real = real

    def pods(self, app: str) -> list[Any]:
        """The ready pods of an app that are not being deleted, in the live state."""
        return [
            pod
            for pod in self.real.context.store.in_namespace("Pod", NS).values()
            if pod.metadata.labels.get("app") == app
            and pod.metadata.deletion_timestamp is None
            and any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
        ]

    async def settled(self, app: str, count: int, **limits: str) -> None:
        """Waits until so many pods run, with these limits, and the controller has counted them."""

        def holds() -> bool:
            found = self.pods(app)
            kind = "daemonsets" if app == "agent" else "deployments"
            status = self.real.get(f"{ROOT}/{kind}/{app}")["status"]
            ready = status.get("readyReplicas", status.get("numberReady", 0))
            return len(found) == ready == count and all(
                pod.spec.containers[0].resources.limits.items() >= limits.items() for pod in found
            )

        await self.real.until(holds, f"{count} pods of {app} run with {limits}")


@pytest.fixture
async def here(nodes_lab: Lab) -> AsyncIterator[Acting]:
    with nodes_lab.cluster.client() as http:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}}
        http.post("/api/v1/namespaces", json=body).raise_for_status()
        http.post(f"{ROOT}/deployments", json=workload("Deployment", "web", replicas=2))
        http.post(f"{ROOT}/daemonsets", json=workload("DaemonSet", "agent"))
        http.post(f"/apis/policy/v1/namespaces/{NS}/poddisruptionbudgets", json=BUDGET)
        try:
            async with acting(nodes_lab.cluster.kubeconfig, http) as real:
                made = Acting(real)
                await made.settled("web", 2)
                await made.settled("agent", 2)
                yield made
        finally:
            clean(http)


def clean(http: httpx.Client) -> None:
    merge = {"Content-Type": "application/merge-patch+json"}
    bare = {"spec": {"unschedulable": None, "taints": None}}
    http.patch(f"/api/v1/nodes/{NODE}", json=bare, headers=merge).raise_for_status()
    http.delete(f"/api/v1/namespaces/{NS}")


async def test_actions_move_real_containers(here: Acting) -> None:
    await rollouts(here)
    await single_pods(here)
    await a_node(here)


async def rollouts(here: Acting) -> None:
    real = here.real
    before = {pod.metadata.uid for pod in here.pods("web")}
    await real.do("rollout-restart", workload=WEB)
    await here.settled("web", 2)
    assert before.isdisjoint(pod.metadata.uid for pod in here.pods("web"))
    limit = {"container": "main", "resource": "memory", "kind": "limit", "amount": "48Mi"}
    await real.do("set-resource", workload=WEB, **limit)
    await here.settled("web", 2, memory="48Mi")
    await real.undo()
    await here.settled("web", 2, memory="32Mi")
    running = {pod.metadata.uid for pod in here.pods("web")}
    plan = await real.plan("set-image", workload=WEB, container="main", image=MISSING)
    plan = replace(plan, deadline_s=5.0)
    result = await catalogue.run(plan, plan.confirmation, real.context, real.journal)
    assert result.outcome is Outcome.SENT_NOT_SEEN, result.sentence
    assert running & {pod.metadata.uid for pod in here.pods("web")}, "the old pods serve"
    await real.undo()
    await here.settled("web", 2)


async def single_pods(here: Acting) -> None:
    for action in ("delete-pod", "evict-pod"):
        pod = here.pods("web")[0].metadata
        await here.real.do(action, pod=f"{NS}/{pod.name}")
        await here.settled("web", 2)
        assert pod.uid not in {each.metadata.uid for each in here.pods("web")}
        allowed = here.real.context.store.get("PodDisruptionBudget", NS, "web")
        assert allowed is not None


async def a_node(here: Acting) -> None:
    real = here.real
    least: list[int] = []
    plan = await real.plan("drain", node=NODE)
    assert plan.refused == "", plan.refused
    result = await catalogue.run(
        plan,
        plan.confirmation,
        real.context,
        real.journal,
        lambda _: least.append(len(here.pods("web"))),
    )
    assert result.outcome is Outcome.DONE, result.sentence
    assert min(least, default=1) >= 1, "the budget keeps one"
    await here.settled("web", 2)
    assert {pod.spec.node_name for pod in here.pods("web")} == {"node-1"}
    assert len(here.pods("agent")) == 2, "pods of DaemonSets stay"
    await real.undo()
    assert not real.get(f"/api/v1/nodes/{NODE}")["spec"].get("unschedulable")
    await real.do("add-taint", node=NODE, taint="broken:NoExecute")
    await real.until(
        lambda: {pod.spec.node_name for pod in here.pods("agent")} == {"node-1"},
        "what does not tolerate it has left",
    )
    await real.undo()
    await here.settled("agent", 2)
