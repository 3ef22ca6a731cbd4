"""The path from this workstation, hop by hop: to the API server (DNS, TCP, TLS, HTTP, readiness),
or with `to` through name, load balancer and node ports to the pods
(`probes.questions.front_door`)."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.health.ladder import Rung, first_failure, ladder
from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.questions import front_door
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, ProbePlan, Row
from probes.select.names import Unusable

NAME = "ladder"
QUESTION = "Which hop from here to the API server (or to what users reach) fails?"
PARAMETERS = {
    "to": (
        "NAMESPACE/NAME of an Ingress, or of a Service of type LoadBalancer or NodePort; default: "
        "the API server"
    )
}


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    if to := arguments.get("to"):
        found = front_door.find(context, to)
        outside = ", ".join([*found.hosts, *found.addresses]) or "no outside address"
        reads = f"one GET at each: {outside}, node ports, pods (by the API server's proxy)"
        method = "a firewall may keep node ports from it that users' traffic passes"
    elif isinstance(getattr(context.api, "access", None), Access):
        reads = "DNS, TCP, TLS, GET /readyz"
        method = "says nothing about how the nodes reach the API server"
    else:
        raise Unusable(
            "There is no kubeconfig, so no server to measure; give one with --kubeconfig."
        )
    return ProbePlan(
        NAME,
        dict(arguments),
        QUESTION,
        reads=(reads,),
        method=f"from this workstation: {method}",
        seconds=10.0 if to else 3.0,
    )


def _timed(hop: Rung) -> str:
    took = f" ({hop.seconds * 1000:.0f} ms)"
    return hop.sentence.removesuffix(".").removesuffix(took) + took


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    if arguments.get("to"):
        found = front_door.find(context, arguments["to"])
        measured = await front_door.measure_hops(context, found)
        unknown = [
            f"{hop.stage} {hop.where} not measured: {hop.words}"
            for hop in measured
            if hop.well is None and hop.stage == "pod"
        ]
        concluded = front_door.conclude(found, measured)
        return Findings(front_door.rows(measured), concluded, unknown, len(measured))
    api = context.api
    assert isinstance(api, Api)
    hops = await ladder(api.access, clock=context.clock, api=api)
    rows = [Row(Ref("Rung", "", hop.name), _timed(hop), hop.ok, hop.target) for hop in hops]
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
    return Findings(rows, conclusions, requests=len(hops))


PROBE = read_only_probe(
    NAME,
    QUESTION,
    PARAMETERS,
    look,
    plan=plan,
)
