"""What a report could not read, or only in part or late."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, WatchState
from triage.facts.finding import Gap
from triage.facts.measurements import Sources

REQUIRED = frozenset(kind.name for kind in KINDS if not kind.optional)
_SPARE = frozenset(kind.name for kind in KINDS if kind.spare)


def gaps_of(freshness: Mapping[str, Freshness], extra: Sources | None) -> tuple[Gap, ...]:
    """What could not be read, or only in part or late."""
    gaps: list[Gap] = []
    for kind, state in sorted(freshness.items()):
        if state.state is WatchState.LIVE or (
            state.state is WatchState.ABSENT and kind not in REQUIRED
        ):
            continue
        why = {
            WatchState.WAITING: "not read yet",
            WatchState.LOADING: f"still loading ({state.count:,} so far)",
            WatchState.STALE: "stale",
            WatchState.FORBIDDEN: "forbidden",
            WatchState.ABSENT: "the server does not offer it",
        }[state.state]
        if state.reason:
            why = f"{why}: {state.reason}"
        gaps.append(Gap(kind, why, quiet=kind in _SPARE and state.state is WatchState.FORBIDDEN))
    if extra is not None:
        gaps.extend(extra.gaps)
    return tuple(gaps)
