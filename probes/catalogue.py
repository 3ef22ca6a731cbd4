"""Every probe there is, by name: planned, shown, agreed to where it creates something, then run.

A probe's plan never raises for a bad request (`refused` says why), its run never for a sick
cluster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probes.context import ProbeContext, Progress
from probes.questions import (
    address_space,
    api_health,
    cni_health,
    connectivity,
    cpu_throttling,
    dns,
    egress,
    exposure,
    image_drift,
    kubelet,
    ladder,
    log_silence,
    mtu,
    secret_keys,
    unaccounted,
    volume_attach,
)
from probes.questions import api_server_paths as through_api
from probes.result import ProbePlan, ProbeResult

Planner = Callable[[ProbeContext, Mapping[str, str]], Awaitable[ProbePlan]]
Runner = Callable[[ProbePlan, ProbeContext, Progress | None], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True)
class Probe:
    """`parameters`: name -> what it means, "(required)" in front where it is; `creates`: whether it
    may make objects or run in pods."""

    name: str
    question: str
    parameters: Mapping[str, str]
    creates: bool
    plan: Planner
    run: Runner


async def _connectivity(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    given = {key: value for key, value in arguments.items() if value}
    port, tries = given.get("port", "0"), given.get("tries", str(connectivity.MOST_TRIES))
    if not port.isdigit() or int(port) > 65535 or not tries.isdigit():
        wrong = f"port {port!r}" if not port.isdigit() or int(port) > 65535 else f"tries {tries!r}"
        return ProbePlan(
            "connectivity",
            dict(arguments),
            connectivity.QUESTION,
            refused=f"{wrong} is not a number that can be used.",
        )
    if given.get("how", "") in through_api.HOW:
        return await through_api.plan(
            context, "connectivity", connectivity.QUESTION, given, given["how"]
        )
    if not given.get("from") or not given.get("to"):
        told = "From where to where? Give from=NAMESPACE[/POD] and to=NAMESPACE[/SERVICE or /POD]."
        return ProbePlan("connectivity", dict(arguments), connectivity.QUESTION, refused=told)
    return await connectivity.plan(
        context,
        from_=given["from"],
        to=given["to"],
        port=int(port),
        image=given.get("image", ""),
        control=given.get("control", ""),
        tries=min(300, int(tries)),
        how=given.get("how", ""),
    )


async def _measure(
    plan_: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    """The connectivity probe on whichever rung its plan has chosen."""
    chosen = through_api.run if isinstance(plan_.detail, through_api.Detail) else connectivity.run
    return await chosen(plan_, context, progress)


_ALL = (
    Probe(
        "connectivity",
        connectivity.QUESTION,
        {
            "from": "(required) NAMESPACE or NAMESPACE/POD to measure from, several with commas",
            "to": "(required) NAMESPACE, NAMESPACE/SERVICE, NAMESPACE/POD or IP:PORT, several with commas",
            "port": "port of the Service or pod; default: its first",
            "image": "image for the probe pods; default: one that the nodes have",
            "control": "namespace to compare with, or none",
            "tries": "most tries for a path that answers now and then (30)",
            "how": "pod (default), exec (in the client), ephemeral (added to it, cannot be removed again), proxy or port-forward (no pod)",
        },
        True,
        _connectivity,
        _measure,
    ),
    Probe(
        image_drift.NAME,
        image_drift.QUESTION,
        image_drift.PARAMETERS,
        False,
        image_drift.plan,
        image_drift.run,
    ),
    Probe(dns.NAME, dns.QUESTION, dns.PARAMETERS, True, dns.plan, dns.run),
    Probe(mtu.NAME, mtu.QUESTION, mtu.PARAMETERS, True, mtu.plan, mtu.run),
    Probe(egress.NAME, egress.QUESTION, egress.PARAMETERS, True, egress.plan, connectivity.run),
    *(
        Probe(each.NAME, each.QUESTION, each.PARAMETERS, False, each.plan, each.run)
        for each in (
            ladder,
            api_health,
            kubelet,
            unaccounted,
            cpu_throttling,
            cni_health,
            log_silence,
            secret_keys,
            exposure,
            volume_attach,
            address_space,
        )
    ),
)

PROBES: Mapping[str, Probe] = MappingProxyType({probe.name: probe for probe in _ALL})


def names() -> tuple[str, ...]:
    return tuple(PROBES)


def describe(name: str) -> str:
    """The question that a probe answers; "" for an unknown name."""
    return PROBES[name].question if name in PROBES else ""


async def plan(name: str, context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    """The plan of one probe. An unknown name gives a refused plan."""
    probe = PROBES.get(name)
    if probe is None:
        told = f"There is no probe {name!r}; there are {', '.join(PROBES)}."
        return ProbePlan(name, dict(arguments), "", refused=told)
    unknown = sorted(set(arguments) - set(probe.parameters))
    if unknown:
        told = (
            f"Probe {name} has no parameter {unknown[0]!r}; it has "
            f"{', '.join(probe.parameters) or 'none'}."
        )
        return ProbePlan(name, dict(arguments), probe.question, refused=told)
    return await probe.plan(context, arguments)


async def run(
    plan_: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    """Run a plan that a human agreed to. A refused plan gives an incomplete result that says
    why."""
    probe = PROBES.get(plan_.probe)
    if probe is None or plan_.refused:
        now = context.clock()
        why = plan_.refused or f"There is no probe {plan_.probe!r}."
        return ProbeResult(plan_.probe, plan_.arguments, now, now, complete=False, problems=(why,))
    return await probe.run(plan_, context, undisturbed(progress) if progress is not None else None)


def undisturbed(progress: Progress) -> Progress:
    """The same, but whoever listens cannot stop a probe: a closed terminal fails at the words
    before what was created is removed."""

    def say(words: str) -> None:
        with contextlib.suppress(Exception):
            progress(words)

    return say
