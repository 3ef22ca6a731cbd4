"""All probes by name, collected from `probes.questions`: planned, shown, agreed to where they
create something, then run."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from probes import questions
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.result import ProbePlan, ProbeResult
from probes.select.names import Unusable


def _collect() -> dict[str, Probe]:
    """The constant `PROBE` of each module in `probes.questions`, by name."""
    found: dict[str, Probe] = {}
    for module in pkgutil.iter_modules(questions.__path__, f"{questions.__name__}."):
        probe = getattr(importlib.import_module(module.name), "PROBE", None)
        if isinstance(probe, Probe):
            found[probe.name] = probe
    return dict(sorted(found.items()))


PROBES: Mapping[str, Probe] = MappingProxyType(_collect())


def names() -> tuple[str, ...]:
    return tuple(PROBES)


def describe(name: str) -> str:
    """The question that a probe answers; "" for an unknown name."""
    return PROBES[name].question if name in PROBES else ""


async def plan(name: str, context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    """The plan of one probe. A request that cannot be measured gives a refused plan."""
    probe = PROBES.get(name)
    if probe is None:
        refused = f"There is no probe {name!r}; there are {', '.join(PROBES)}."
        return ProbePlan(name, dict(arguments), "", refused=refused)
    try:
        if unknown := sorted(set(arguments) - set(probe.parameters)):
            known = ", ".join(probe.parameters) or "none"
            raise Unusable(f"Probe {name} has no parameter {unknown[0]!r}; it has {known}.")
        return await probe.plan(context, arguments)
    except Unusable as error:
        return ProbePlan(name, dict(arguments), probe.question, refused=str(error))


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
    return await probe.run(plan_, context, _failsafe(progress))


def _failsafe(progress: Progress | None) -> Progress:
    """The same callback, with its errors ignored: a closed terminal must not stop a probe before
    it has removed what it created."""

    def say(words: str) -> None:
        with contextlib.suppress(Exception):
            if progress is not None:
                progress(words)

    return say
