"""How the CPU time of a triage grows with the cluster: decoding, triage and ranking of a broken
cluster of 8 times the pods, as ratios. `python -m bench.growth`; exit code 1 when one grows faster
than `GROWTH` with `MARGIN`.

Everything runs in one process, both sizes in turn, and the least of several runs counts: the ratio
does not depend on the machine and little on its load.
"""

from __future__ import annotations

import itertools
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bench.report import Row, text
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import Freshness, State
from cluster.live.store import Store
from runbooks.loader import Library
from runbooks.matcher import Matcher
from triage.engine import triage_once

SMALL, TIMES, RUNS = 1_000, 8, 3
BROKEN = 25
"""Each pod of so many is broken: 4 %."""
NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
GROWTH = {"decode": 8.0, "triage": 8.5, "rank": 8.5}
"""CPU time at 8 times the pods, over that of the small cluster."""
MARGIN = 1.5
"""Ratios of a loaded machine differ by a fifth; quadratic growth would give 64."""


def main() -> int:
    pages = {size: msgspec.json.encode(_pods(size)) for size in (SMALL, SMALL * TIMES)}
    matcher = Matcher(Library())
    best: dict[int, dict[str, float]] = {}
    for _ in range(RUNS):
        for size, page in pages.items():
            taken = _measure(page, matcher)
            known = best.setdefault(size, taken)
            best[size] = {name: min(known[name], taken[name]) for name in taken}
    rows = [
        Row(
            f"{name}: CPU at {SMALL * TIMES:,} pods over {SMALL:,}",
            best[SMALL * TIMES][name] / best[SMALL][name],
            "x",
            growth * MARGIN,
            f"{best[SMALL][name]:.3f} s, {best[SMALL * TIMES][name]:.3f} s",
        )
        for name, growth in GROWTH.items()
    ]
    print(text(rows))
    return 1 if any(row.verdict == "MISSED" for row in rows) else 0


def _measure(page: bytes, matcher: Matcher) -> dict[str, float]:
    """Seconds of CPU of each stage."""
    store, kind = Store(), BY_NAME["Pod"]
    decoder = KindDecoder(kind)
    times = [time.process_time()]
    store.apply(kind.name, decoder.finish(decoder.page(page).objects))
    times.append(time.process_time())
    fresh = {kind.name: Freshness(kind.name, State.LIVE, store.count(kind.name), heard=NOW)}
    report = triage_once(store, NOW, fresh)
    times.append(time.process_time())
    for symptom in report.symptoms:
        matcher.match_symptom(symptom, report)
    times.append(time.process_time())
    return dict(zip(GROWTH, (b - a for a, b in itertools.pairwise(times)), strict=True))


def _pods(count: int) -> dict[str, Any]:
    items = [_pod(number) for number in range(count)]
    return {"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": items}


def _pod(number: int) -> dict[str, Any]:
    """Ten pods have one owner. Each broken pod has its own and is broken in one of five ways."""
    broken = number % BROKEN == 0
    owner = f"broken-{number}" if broken else f"app-{number // 10}"
    born = (NOW - timedelta(hours=2, seconds=number % 3_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state, phase = _STATES[number // BROKEN % len(_STATES)] if broken else (_RUNNING, "Running")
    ready = "True" if state is _RUNNING and not broken else "False"
    return {
        "metadata": {
            "name": f"{owner}-{number:06d}",
            "namespace": f"team-{number % 40}",
            "uid": f"uid-{number}",
            "resourceVersion": str(number + 1),
            "creationTimestamp": born,
            "labels": {"app": owner, "pod-template-hash": "abc"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"{owner}-abc", "uid": owner, "controller": True}
            ],
        },
        "spec": {
            "nodeName": "" if phase == "Pending" and not state else f"node-{number % 50}",
            "containers": [{"name": "main", "image": f"registry.example/{owner}:1"}],
        },
        "status": {
            "phase": phase,
            "startTime": born,
            "podIP": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            "conditions": [
                {"type": "Ready", "status": ready, "lastTransitionTime": born},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": born},
            ],
            "containerStatuses": [
                {"name": "main", "ready": ready == "True", "image": f"{owner}:1", **state}
            ],
        },
    }


_RUNNING: dict[str, Any] = {"state": {"running": {"startedAt": "2026-11-21T01:00:00Z"}}}
_ENDED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T03:05:00Z"}
_STATES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {
            "restartCount": 14,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": _ENDED},
        },
        "Running",
    ),
    (
        {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}},
        "Pending",
    ),
    (
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "a"'}}},
        "Pending",
    ),
    (_RUNNING, "Running"),
    ({}, "Pending"),
)


if __name__ == "__main__":
    sys.exit(main())
