"""Objects that are gone: counts that fell, references to nothing, system namespaces made anew (story 003 #4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from triage.finding import Evidence, Finding, Severity, SinceSource
from triage.make import CLUSTER, make
from triage.view import View

_WINDOW = timedelta(minutes=15)


def vanished(view: View, history: Sequence[tuple[datetime, dict[str, int]]]) -> Iterator[Finding]:
    """At least three kinds lost more than half of their objects within a quarter of an hour, by our own counts."""
    fell: dict[str, tuple[int, int, datetime]] = {}
    for at, counts in history:
        if view.now - at > _WINDOW:
            continue
        for kind, before in counts.items():
            now = view.store.count(kind)
            if before >= 6 and now * 2 < before and view.readable(kind) and (kind not in fell or before > fell[kind][0]):
                fell[kind] = (before, now, at)
    if len(fell) < 3:
        return
    before, after = sum(b for b, _, _ in fell.values()), sum(a for _, a, _ in fell.values())
    since = min(at for _, _, at in fell.values())
    kinds = tuple(sorted(fell))
    yield make(
        "objects-vanished", CLUSTER, f"objects of {len(kinds)} kinds vanished: {before} before, {after} now", Severity.CRITICAL,
        "three or more kinds lost over half of their objects within 15 min", since=since, source=SinceSource.FIRST_SEEN,
        evidence=[Evidence(f"count of {k}", f"{b} -> {a}", at) for k, (b, a, at) in sorted(fell.items())],
        facts={"kinds": kinds, "before": before, "after": after},
    )  # fmt: skip
