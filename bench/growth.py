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

import msgspec

from bench.population import NOW, pod_list
from bench.report import Figure, text
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store
from runbooks.loader import Library
from runbooks.matcher import Matcher
from triage.engine import triage_once

SMALL, TIMES, RUNS = 1_000, 8, 3
GROWTH = {"decode": 8.0, "triage": 8.5, "rank": 6.5}
"""CPU time at 8 times the pods, over that of the small cluster."""
MARGIN = 1.5
"""Ratios of a loaded machine differ by a fifth; quadratic growth would give 64."""


def main() -> int:
    pages = {size: msgspec.json.encode(pod_list(size)) for size in (SMALL, SMALL * TIMES)}
    library = Library()
    best: dict[int, dict[str, float]] = {}
    for _ in range(RUNS):
        for size, page in pages.items():
            # A matcher keeps what it has ranked, and the small cluster is part of the large one.
            taken = _measure(page, Matcher(library))
            known = best.setdefault(size, taken)
            best[size] = {name: min(known[name], taken[name]) for name in taken}
    rows = [
        Figure(
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
    fresh = {kind.name: Freshness(kind.name, WatchState.LIVE, store.count(kind.name), heard=NOW)}
    report = triage_once(store, NOW, fresh)
    times.append(time.process_time())
    for symptom in report.symptoms:
        matcher.match_symptom(symptom, report)
    times.append(time.process_time())
    return dict(zip(GROWTH, (b - a for a, b in itertools.pairwise(times)), strict=True))


if __name__ == "__main__":
    sys.exit(main())
