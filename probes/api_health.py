"""Health and latency of the API server and its etcd, asked several times: through a balancer each answer may come from another server."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping

from cluster.errors import ApiError, ClusterError
from cluster.objects import Ref
from probes.context import ProbeContext, Progress
from probes.reading import answer, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "api-health"
QUESTION = "Is every API server behind the address ready, and how fast do they answer?"
PARAMETERS = {"rounds": "how often each question is asked (10)"}
SLOW_S = 1.0
"""The scalability SLO of Kubernetes: 99 % of calls below one second."""
_FAILED = re.compile(r"\[-\]\s?(\S+)")


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    rounds = arguments.get("rounds", "10")
    refused = "" if rounds.isdigit() and 1 <= int(rounds) <= 50 else f"rounds {rounds!r} is not a number from 1 to 50."
    return reading_plan(
        NAME, arguments, QUESTION, refused=refused, seconds=5.0,
        reads=("GET /readyz?verbose, GET one namespace, LIST one pod, each several times, one after another",),
        method="from this workstation, so the way there is part of each time; connections are kept, a balancer may send all to one server",
    )  # fmt: skip


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    rounds = int(plan.arguments.get("rounds", "10"))
    failing: Counter[str] = Counter()
    times: dict[str, list[float]] = {"readyz": [], "get": [], "list": []}
    problems: list[str] = []
    errors = 0
    for number in range(rounds):
        if context.api is None:
            problems.append("there is no connection to the API server")
            break
        if progress:
            progress(f"round {number + 1} of {rounds}")
        for what, path, params in (
            ("readyz", "/readyz", {"verbose": "true"}),
            ("get", "/api/v1/namespaces/default", {}),
            ("list", "/api/v1/pods", {"limit": "1"}),
        ):
            before = time.monotonic()
            try:
                await context.api.get_text(path, dict(params), timeout=8)
            except ApiError as error:
                if error.status in (401, 403, 404):
                    problems.append(f"{what} not measured: {error}")
                    continue
                errors += 1
                failing.update(_FAILED.findall(error.detail) or [f"{what} HTTP {error.status}"])
            except ClusterError as error:
                errors += 1
                failing[f"{what}: {error}"[:160]] += 1
                continue
            times[what].append(time.monotonic() - before)
    ref = Ref("APIServer", "", context.server)
    rows = [Row(ref, f"{check} failed {count} of {rounds} times", False, "ok") for check, count in sorted(failing.items())]
    conclusions = []
    for what, values in times.items():
        if values:
            ordered = sorted(values)
            median, high = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
            seen = f"{what}: p50 {median * 1000:.0f} ms, p95 {high * 1000:.0f} ms of {len(values)}"
            facts: dict[str, str | int | float | bool] = {"p50_ms": round(median * 1e3), "p95_ms": round(high * 1e3)}
            rows.append(Row(ref, seen, high < SLOW_S, f"p95 below {SLOW_S:g} s", facts))
            if high >= SLOW_S:
                conclusions.append(
                    Conclusion(f"The API server is slow: {seen}", Component("api-server", context.server), 0.6,
                               "reads slow too? then the server or the way; only writes slow: admission webhooks or etcd's disk")
                )  # fmt: skip
    for check, count in failing.most_common(3):
        part = Component("etcd", "") if "etcd" in check else Component("api-server", context.server)
        every = "always" if count >= rounds else f"{count} of {rounds} times: one of several servers, or it comes and goes"
        following = "the log of that API server; for etcd: its members' health and disk"
        conclusions.append(Conclusion(f"{check} fails {every}", part, 0.85, following))
    return answer(plan, context, started, rows, conclusions, problems=problems, requests=3 * rounds)
