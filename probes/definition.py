"""What a probe is: its name, its question, its parameters, and the functions that plan and run it.

Each file under `probes/questions/` defines its own as the constant `PROBE`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from probes.context import ProbeContext, Progress
from probes.result import ProbePlan, ProbeResult

Planner = Callable[[ProbeContext, Mapping[str, str]], Awaitable[ProbePlan]]
Runner = Callable[[ProbePlan, ProbeContext, Progress], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True)
class Probe:
    """`plan` raises `Unusable` for a bad request; `probes.catalogue` makes it a refused plan. `run`
    does not raise for a failing cluster: the result is then incomplete."""

    name: str
    question: str
    parameters: Mapping[str, str]
    """Name -> meaning; the meaning of a required one starts with "(required)"."""
    plan: Planner
    run: Runner
    creates: bool = False
    """Whether it may create objects or run commands inside pods."""
