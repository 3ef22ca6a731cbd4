"""The path from this workstation, hop by hop: to the API server (DNS, TCP, TLS, HTTP, readiness),
or with `to` through name, load balancer and node ports to the pods
(`probes.questions.front_door`)."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.health.ladder import Hop, first_failure, ladder
from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.questions import front_door
from probes.read_only import read_only_plan, read_only_result
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row
from probes.select import paths as selection

NAME = "ladder"
QUESTION = "Which hop from here to the API server (or to what users reach) fails?"
PARAMETERS = {
    "to": (
        "NAMESPACE/NAME of an Ingress, or of a Service of type LoadBalancer or NodePort; default: "
        "the API server"
    )
}


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    if arguments.get("to"):
        try:
            found = front_door.find(context, arguments["to"])
        except selection.Unusable as error:
            return read_only_plan(NAME, arguments, QUESTION, refused=str(error))
        outside = ", ".join([*found.hosts, *found.addresses]) or "no outside address"
        word = f"one GET at each: {outside}, node ports, pods (by the API server's proxy)"
        method = (
            "from this workstation: a firewall may keep node ports from it that users' traffic "
            "passes"
        )
        return read_only_plan(NAME, arguments, QUESTION, seconds=10.0, method=method, reads=(word,))
    known = isinstance(getattr(context.api, "access", None), Access)
    refused = (
        ""
        if known
        else "There is no kubeconfig, so no server to measure; give one with --kubeconfig."
    )
    method = "from this workstation: says nothing about how the nodes reach the API server"
    return read_only_plan(
        NAME,
        arguments,
        QUESTION,
        refused=refused,
        seconds=3.0,
        method=method,
        reads=("DNS, TCP, TLS, GET /readyz",),
    )


def _timed(hop: Hop) -> str:
    took = f" ({hop.seconds * 1000:.0f} ms)"
    return hop.sentence.removesuffix(".").removesuffix(took) + took


async def run(
    plan: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    started = context.clock()
    if plan.arguments.get("to"):
        found = front_door.find(context, plan.arguments["to"])
        measured = await front_door.measure_hops(context, found)
        unknown = [
            f"{hop.stage} {hop.where} not measured: {hop.words}"
            for hop in measured
            if hop.well is None and hop.stage == "pod"
        ]
        concluded = front_door.conclude(found, measured)
        return read_only_result(
            plan,
            context,
            started,
            front_door.rows(measured),
            concluded,
            problems=unknown,
            requests=len(measured),
        )
    api = context.api
    assert isinstance(api, Api)
    hops = await ladder(api.access, clock=context.clock, api=api)
    rows = [Row(Ref("Hop", "", hop.name), _timed(hop), hop.ok, hop.target) for hop in hops]
    broken = first_failure(hops)
    conclusions = []
    if broken is not None:
        conclusions.append(
            Conclusion(
                broken.sentence,
                Component("hop", broken.name),
                0.9,
                "compare from another machine or network",
            )
        )
    return read_only_result(plan, context, started, rows, conclusions, requests=len(hops))


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run)
