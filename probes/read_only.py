"""Probes that only read: one function that looks gives the plan and the result; bounded
concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cluster.errors import ApiError, ClusterError, Forbidden
from probes.context import ProbeContext, Progress
from probes.definition import Planner, Probe
from probes.result import Conclusion, ProbePlan, ProbeResult, Row
from probes.select.names import Unusable

T = TypeVar("T")
R = TypeVar("R")
FROM_STATE = "from the live state: no request, nothing is created"
AT_ONCE = 4
"""Concurrent requests of one probe."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a probe read. `problems`: what could not be read; `requests`: sent to the API server."""

    rows: Sequence[Row]
    conclusions: Sequence[Conclusion] = ()
    problems: Sequence[str] = ()
    requests: int = 0


Look = Callable[[ProbeContext, Mapping[str, str], Progress], Awaitable[Findings]]
Check = Callable[[ProbeContext, Mapping[str, str]], None]


def read_only_probe(
    name: str,
    question: str,
    parameters: Mapping[str, str],
    look: Look,
    *,
    kinds: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    method: str = FROM_STATE,
    seconds: float = 0.0,
    check: Check | None = None,
    plan: Planner | None = None,
) -> Probe:
    """A probe that creates nothing and runs in no pod. The result is incomplete when one of `kinds`
    could not be read or `look` has problems.

    `check` raises `Unusable` for arguments that cannot be used. `plan` takes the place of the plan
    that the words given here make.
    """

    async def describe(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
        check_place(context, arguments)
        if check is not None:
            check(context, arguments)
        return ProbePlan(
            name, dict(arguments), question, reads=reads, method=method, seconds=seconds
        )

    async def run(plan: ProbePlan, context: ProbeContext, progress: Progress) -> ProbeResult:
        started = context.clock()
        found = await look(context, plan.arguments, progress)
        unread = [
            f"{kind} could not be read: {context.unavailable[kind]}"
            for kind in kinds
            if kind in context.unavailable
        ]
        problems = tuple(dict.fromkeys([*unread, *found.problems]))
        return ProbeResult(
            plan.probe,
            plan.arguments,
            started,
            context.clock(),
            (),
            tuple(found.rows),
            tuple(sorted(found.conclusions, key=lambda each: -each.confidence)),
            complete=not problems,
            problems=problems,
            method=plan.method,
            requests=found.requests,
        )

    return Probe(name, question, parameters, plan or describe, run)


async def map_bounded(items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Runs `work` on all items, at most `AT_ONCE` at a time; results in order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with gate:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


def check_place(context: ProbeContext, arguments: Mapping[str, str]) -> None:
    """Raises `Unusable` when it is known that the `node` or `namespace` of the arguments does not
    exist."""
    node, namespace = arguments.get("node", ""), arguments.get("namespace", "")
    if node and "Node" not in context.unavailable and context.store.get("Node", "", node) is None:
        raise Unusable(f"There is no node {node}; look at `kubectl get nodes`.")
    # Pods may be readable where Namespaces are not.
    known = (
        "Namespace" in context.unavailable
        or context.store.get("Namespace", "", namespace) is not None
    )
    if namespace and not known and not context.store.in_namespace("Pod", namespace):
        raise Unusable(f"There is no namespace {namespace}; look at `kubectl get namespaces`.")


def not_asked(error: ClusterError) -> bool:
    """Whether an error means that we may not ask, so that it says nothing about the object."""
    return isinstance(error, Forbidden) or (
        isinstance(error, ApiError) and error.status in (401, 404, 405)
    )
