"""What the walkthrough engine asks of the fake: runbooks, values, checks, probes and actions."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from actions.plan import ActionPlan, ActionResult, Blast, Outcome, Precondition
from actions.plan import Change as ActionChange
from cluster.kube.objects import Ref
from incident.walkthrough.action_runner import GateJournal
from incident.walkthrough.live_values import Workload
from incident.walkthrough.run import NO_STEP, Asker, StepState
from probes.context import Progress
from probes.result import (
    Cell,
    Component,
    Conclusion,
    Destination,
    Expectation,
    Place,
    PlannedObject,
    ProbePlan,
    ProbeResult,
    ResultClass,
    Right,
    Try,
)
from runbooks.check import CheckOutcome, Result
from runbooks.model import Query, Runbook
from timeline.entry import NewEntry


class Books:
    """The runbooks of the fake, as the engine reads them."""

    def __init__(self, fake: Any) -> None:
        self._fake = fake

    @property
    def runbooks(self) -> Sequence[Runbook]:
        found: Sequence[Runbook] = self._fake.runbooks()
        return found

    def get(self, runbook_id: str) -> Runbook | None:
        return next((each for each in self.runbooks if each.id == runbook_id), None)


class Values:
    def suggest(self, symptom: object) -> Mapping[str, str]:
        return {}

    def workload(self, namespace: str, workload: str) -> Workload | None:
        return None

    def cordoned(self) -> Sequence[str]:
        return ()

    def named(self, name: str) -> Sequence[tuple[str, str]]:
        return ()

    def missing(self, name: str, value: str, namespace: str) -> str:
        return ""


class Checks:
    """Every check fails after a moment, having `seen` this."""

    def __init__(self, seen: str) -> None:
        self._seen = seen

    async def run(self, query: Query, params: Mapping[str, str]) -> CheckOutcome:
        await asyncio.sleep(0.3)
        return CheckOutcome(Result.FAIL, self._seen)


class Probes:
    def __init__(self, fake: Any) -> None:
        self._fake = fake

    def clock(self) -> datetime:
        now: datetime = self._fake.clock()
        return now

    async def plan(
        self, name: str, arguments: Mapping[str, str], asker: Asker = NO_STEP
    ) -> ProbePlan:
        self._fake.calls.append(("plan", dict(arguments)))
        image = "registry.local/app:1.4.2"
        return ProbePlan(
            name,
            dict(arguments),
            "Which connections from nginx to marketplace are refused by the target, which are "
            "rejected on the way?",
            creates=tuple(
                PlannedObject(
                    Ref("Pod", "nginx", f"stanch-probe-{n}"), n, image, {}, "accepted", True
                )
                for n in ("node-3", "node-4")
            ),
            reads=("pods and network policies of 2 namespaces",),
            rights=(
                Right("create", "pods", "nginx", True),
                Right("create", "pods/exec", "nginx", True),
            ),
            method=(
                "a debug pod with an image that the node already has; a shell and /proc/net/snmp "
                "tell the classes apart"
            ),
            seconds=25,
            deadline_s=600,
            **asker._asdict(),
        )

    async def run(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        async with self._fake.under_way("probe", "probe connectivity") as detail:
            for done in range(1, 13):
                if progress:
                    progress(f"{done} of 12 tries, node-{2 + done % 3}")
                detail(f"{done} of 12 tries")
                await asyncio.sleep(0.15)
        cells = tuple(
            Cell(
                Place(ns, n),
                Destination("marketplace", t, f"pod-on-{t}", "10.244.2.31", 8080),
                Expectation.ALLOW,
                "allow-ingress",
                tuple(
                    Try(
                        ResultClass.REJECTED if t == "node-2" and ns == "nginx" else ResultClass.OK,
                        3,
                    )
                    for _ in range(5)
                ),
                "node-2" if t == "node-2" and ns == "nginx" else "",
                "kernel" if t == "node-2" and ns == "nginx" else "",
            )
            for ns, n in (("nginx", "node-3"), ("nginx", "node-4"), ("marketplace", "node-2"))
            for t in ("node-2", "node-5")
        )
        runs = self._fake.runs
        runs.write(
            NewEntry(
                kind="probe-result",
                text="rejected on the way by node-2, 10 of 10",
                run_id=plan.run_id,
                step_id=plan.step_id,
                data={
                    "intent_id": "probe",
                    **runs.answered(plan.run_id, plan.step_id, "rejected", StepState.FAILED),
                },
            )
        )
        return ProbeResult(
            plan.probe,
            plan.arguments,
            self.clock(),
            self.clock(),
            cells,
            conclusions=(
                Conclusion(
                    "node-2 rejects connections that every policy allows",
                    Component("policy-enforcement", "node-2"),
                    0.97,
                    "compare the agent's image on node-2",
                    (
                        "10 of 10 rejected, ICMP 3/3 sent by node-2",
                        "0 of 20 to pods on other nodes",
                    ),
                ),
            ),
            created=(
                Ref("Pod", "nginx", "stanch-probe-node-3"),
                Ref("Pod", "nginx", "stanch-probe-node-4"),
            ),
            method=plan.method,
        )


class Actions:
    def __init__(self, fake: Any) -> None:
        self._fake = fake

    def clock(self) -> datetime:
        now: datetime = self._fake.clock()
        return now

    def refuses(self, action: str, argument: str, text: str) -> str:
        return ""

    async def plan(
        self,
        name: str,
        arguments: Mapping[str, str],
        asker: Asker = NO_STEP,
        *,
        undoes: bool = False,
    ) -> ActionPlan:
        node = arguments.get("node", "node-2")
        change = ActionChange(
            "PATCH",
            f"/api/v1/nodes/{node}",
            {"spec": {"unschedulable": name == "cordon"}},
            "application/merge-patch+json",
            f"kubectl {name} {node}",
            "spec.unschedulable: false -> true"
            if name == "cordon"
            else "spec.unschedulable: true -> false",
        )
        undo = dataclasses.replace(
            change, kubectl=f"kubectl uncordon {node}", summary="spec.unschedulable: true -> false"
        )
        return ActionPlan(
            name,
            {"node": node},
            Ref("Node", "", node),
            change,
            "prod-eu1",
            "https://api.prod-eu1:6443",
            node,
            "the name of the node",
            self.clock(),
            self.clock() + timedelta(minutes=2),
            preconditions=(
                Precondition("another node has room?", True, "7 nodes, 41 % memory asked for"),
            ),
            blast=Blast(
                (
                    f"No new pods on {node}; its 8 running pods stay.",
                    "8 of 9 nodes still take pods.",
                ),
                (),
            ),
            undo=undo,
            undo_action="uncordon" if name == "cordon" else "cordon",
            dry_run="node would be patched",
            dry_run_ok=True,
            production=True,
            **asker._asdict(),
            undoes=undoes,
        )

    async def run(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Progress | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        self._fake.calls.append((plan.action, typed))
        result = ActionResult(
            plan,
            Outcome.DONE,
            f"node-2 is {plan.action}ed",
            self.clock(),
            0.2,
            "seen in the cluster after 0.2 s",
            plan.undo,
        )
        runs = self._fake.runs
        runs.write(
            NewEntry(
                kind="action-intent",
                text=plan.action,
                run_id=plan.run_id,
                step_id=plan.step_id,
                data={"intent_id": "action", **plan.document},
            )
        )
        journal = GateJournal(self._fake.record, runs)
        journal._intent = "action"
        journal.conclude(result)
        return result

    def decline(self, plan: ActionPlan, reason: str) -> ActionResult:
        self._fake.calls.append(("declined", reason))
        result = ActionResult(plan, Outcome.DECLINED, reason, self.clock())
        GateJournal(self._fake.record, self._fake.runs).conclude(result)
        return result
