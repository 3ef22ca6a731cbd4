"""Shared by probes that only read: the plan, the result from rows, bounded concurrency, and what
could not be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from cluster.errors import ApiError, ClusterError, Forbidden
from probes.context import ProbeContext
from probes.result import Conclusion, ProbePlan, ProbeResult, Row

T = TypeVar("T")
R = TypeVar("R")
FROM_STATE = "from the live state: no request, nothing is created"
AT_ONCE = 4
"""Concurrent requests of one probe."""


def read_only_plan(
    name: str,
    arguments: Mapping[str, str],
    question: str,
    *,
    reads: tuple[str, ...] = (),
    method: str = FROM_STATE,
    seconds: float = 0.0,
    refused: str = "",
    warnings: tuple[str, ...] = (),
) -> ProbePlan:
    """The plan of a probe that creates nothing and runs in no pod."""
    return ProbePlan(
        name,
        dict(arguments),
        question,
        reads=reads,
        method=method,
        seconds=seconds,
        refused=refused,
        warnings=warnings,
    )


def read_only_result(
    plan: ProbePlan,
    context: ProbeContext,
    started: datetime,
    rows: Iterable[Row],
    conclusions: Iterable[Conclusion] = (),
    *,
    kinds: tuple[str, ...] = (),
    problems: Iterable[str] = (),
    requests: int = 0,
) -> ProbeResult:
    """The result. It is incomplete when one of `kinds` could not be read or there are problems."""
    told = [
        f"{kind} could not be read: {context.unavailable[kind]}"
        for kind in kinds
        if kind in context.unavailable
    ]
    told += problems
    ordered = sorted(conclusions, key=lambda each: -each.confidence)
    return ProbeResult(
        plan.probe,
        plan.arguments,
        started,
        context.clock(),
        (),
        tuple(rows),
        tuple(ordered),
        complete=not told,
        problems=tuple(dict.fromkeys(told)),
        method=plan.method,
        requests=requests,
    )


async def map_bounded(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], at_once: int = AT_ONCE
) -> list[R]:
    """Runs `work` on all items, at most `at_once` at a time; results in order."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with gate:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


def missing_place(context: ProbeContext, arguments: Mapping[str, str]) -> str:
    """One sentence when the `node` or `namespace` of the arguments does not exist; "" when it
    exists or that is not known."""
    node, namespace = arguments.get("node", ""), arguments.get("namespace", "")
    if node and "Node" not in context.unavailable and context.store.get("Node", "", node) is None:
        return f"There is no node {node}; look at `kubectl get nodes`."
    # Pods may be readable where Namespaces are not.
    known = (
        "Namespace" in context.unavailable
        or context.store.get("Namespace", "", namespace) is not None
    )
    if namespace and not known and not context.store.in_namespace("Pod", namespace):
        return f"There is no namespace {namespace}; look at `kubectl get namespaces`."
    return ""


def not_asked(error: ClusterError) -> bool:
    """Whether an error means that we may not ask, so that it says nothing about the object."""
    return isinstance(error, Forbidden) or (
        isinstance(error, ApiError) and error.status in (401, 404, 405)
    )
