"""The way from this workstation to the API server, hop by hop: DNS, TCP, TLS, HTTP and who wrote the answer, readiness."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.access import Access
from cluster.ladder import first_failure, ladder
from cluster.objects import Ref
from cluster.transport import Api
from probes.context import ProbeContext, Progress
from probes.reading import answer, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "ladder"
QUESTION = "Which hop on the way from here to the API server fails?"
PARAMETERS: dict[str, str] = {}


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    known = isinstance(getattr(context.api, "access", None), Access)
    refused = "" if known else "There is no kubeconfig, so there is no way to climb; give one with --kubeconfig."
    method = "from this workstation: says nothing about how the nodes reach the API server"
    return reading_plan(NAME, arguments, QUESTION, refused=refused, seconds=3.0, method=method, reads=("DNS, TCP, TLS, GET /readyz",))


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    api = context.api
    assert isinstance(api, Api)
    hops = await ladder(api.access, clock=context.clock, api=api)
    rows = [Row(Ref("Hop", "", hop.name), f"{hop.sentence} ({hop.seconds * 1000:.0f} ms)", hop.ok, hop.target) for hop in hops]
    broken = first_failure(hops)
    conclusions = []
    if broken is not None:
        conclusions.append(Conclusion(broken.sentence, Component("hop", broken.name), 0.9, "compare from another machine or network"))
    return answer(plan, context, started, rows, conclusions, requests=len(hops))
