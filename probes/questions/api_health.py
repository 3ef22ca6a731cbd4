"""Health and latency of the API server and its etcd, in several rounds over new connections,
because a load balancer may choose another server each time. A dry run measures a write before it is
stored: slow dry runs with fast reads point at an admission webhook.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cluster.errors import ApiError, ClusterError
from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.names import Unusable

SLOW_S = 1.0
"""The scalability SLO of Kubernetes: 99 % of calls below one second."""
DRY = "dry run"
ASKED = {
    "readyz": "GET /readyz?verbose",
    "get": "GET of the namespace default",
    "list": "LIST of one pod",
    DRY: "a ConfigMap created in a dry run",
}
_FAILED = re.compile(r"\[-\]\s?(\S+)")


def _check_rounds(context: ProbeContext, arguments: Mapping[str, str]) -> None:
    rounds = arguments.get("rounds", "10")
    if not rounds.isdecimal() or not 1 <= int(rounds) <= 50:
        raise Unusable(f"rounds {rounds!r} is not a number from 1 to 50.")


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    rounds = int(arguments.get("rounds", "10"))
    failing: Counter[str] = Counter()
    times: dict[str, list[float]] = {what: [] for what in ASKED}
    not_measured: dict[str, str] = {}
    questions = _questions(context)
    requests = 0
    if not questions:
        not_measured["anything"] = "there is no connection to the API server"
    for number in range(rounds if questions else 0):
        progress(f"round {number + 1} of {rounds}")
        for what, ask in questions.items():
            if what in not_measured:
                continue
            before = time.monotonic()
            requests += 1
            try:
                await ask()
            except ApiError as error:
                if error.status in (401, 403, 404):
                    not_measured[what] = str(error)
                    continue
                failing.update(_FAILED.findall(error.detail) or [f"{what} HTTP {error.status}"])
            except ClusterError as error:
                failing[f"{what}: {error}"[:160]] += 1
                continue
            times[what].append(time.monotonic() - before)
    ref = Ref("APIServer", "", context.server)
    rows = [
        Row(ref, f"{check} failed {count} of {rounds} times", False, "ok")
        for check, count in sorted(failing.items())
    ]
    # Without the right to create ConfigMaps the reads remain: the result is still complete.
    rows += [
        Row(ref, f"{ASKED[what]}: {why}", None) for what, why in not_measured.items() if what == DRY
    ]
    conclusions = []
    slow = {}
    for what, values in times.items():
        if values:
            ordered = sorted(values)
            median, high = (
                ordered[len(ordered) // 2],
                ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
            )
            seen = (
                f"{ASKED[what]}: p50 {median * 1000:.0f} ms, p95 {high * 1000:.0f} ms of "
                f"{len(values)}"
            )
            facts: dict[str, str | int | float | bool] = {
                "p50_ms": round(median * 1e3),
                "p95_ms": round(high * 1e3),
            }
            rows.append(Row(ref, seen, high < SLOW_S, f"p95 below {SLOW_S:g} s", facts))
            if high >= SLOW_S:
                slow[what] = seen
    if set(slow) == {DRY}:
        claim = f"Reading is fast and writing is slow before anything is stored: {slow[DRY]}"
        following = (
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations: whose "
            "backend is slow or gone?"
        )
        conclusions.append(
            Conclusion(claim, Component("admission", context.server), 0.75, following)
        )
    elif slow:
        claim = f"The API server is slow: {'; '.join(slow.values())}"
        following = "its load and its etcd's disk, or the path there: compare from another machine"
        conclusions.append(
            Conclusion(claim, Component("api-server", context.server), 0.6, following)
        )
    for check, count in failing.most_common(3):
        part = Component("etcd", "") if "etcd" in check else Component("api-server", context.server)
        every = (
            "always"
            if count >= rounds
            else f"{count} of {rounds} times: one of several servers, or it comes and goes"
        )
        following = "the log of that API server; for etcd: its members' health and disk"
        conclusions.append(Conclusion(f"{check} fails {every}", part, 0.85, following))
    problems = [f"{what} not measured: {why}" for what, why in not_measured.items() if what != DRY]
    return Findings(rows, conclusions, problems, requests)


def _questions(context: ProbeContext) -> dict[str, Callable[[], Awaitable[Any]]]:
    api, writer = context.api, context.writer
    if api is None:
        return {}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"generateName": "stanch-probe-", "namespace": "default"},
    }
    found: dict[str, Callable[[], Awaitable[Any]]] = {
        "readyz": lambda: api.get_text("/readyz", {"verbose": "true"}, timeout=8, last=True),
        "get": lambda: api.get_text("/api/v1/namespaces/default", timeout=8),
        "list": lambda: api.get_text("/api/v1/pods", {"limit": "1"}, timeout=8),
    }
    if writer is not None:
        found[DRY] = lambda: writer.create(
            "/api/v1/namespaces/default/configmaps", body, dry_run=True
        )
    return found


PROBE = read_only_probe(
    "api-health",
    "Is every API server behind the address ready, and how fast do they answer?",
    {"rounds": "how often each question is asked (10)"},
    look,
    check=_check_rounds,
    reads=(
        f"{', '.join(ASKED.values())}: each several times, one after another, nothing is stored",
    ),
    method="from this workstation, so the path there is part of each time; a new connection each "
    "round, so that a balancer chooses again",
    seconds=5.0,
)
