"""When an Event happened, and how often.

Events come in three shapes. Legacy recorders set firstTimestamp, lastTimestamp and count. New ones
(events.k8s.io, the scheduler) set eventTime and leave the timestamps null. A repeated new one adds
a series with lastObservedTime. An aggregated event may carry several of these, so the latest and
the earliest of all that are set are taken; kubectl reads the same fields in a fixed order.
creationTimestamp says when the API server stored the event, which is later than it happened and,
after a restore, much later: it counts only where nothing else is set.

Sources: `printEvent` and `kubectl events` of Kubernetes 1.34; KEP-383.
"""

from __future__ import annotations

from datetime import datetime

from cluster.kube.objects import Event


def last_time(event: Event) -> datetime | None:
    """When it last happened; None when the event carries no time at all."""
    return max(_times(event), default=event.metadata.creation_timestamp)


def first_time(event: Event) -> datetime | None:
    """When it first happened; None when the event carries no time at all. An event that was counted
    before it was first seen here (lastTimestamp alone) began no later than it was created."""
    first = [t for t in (event.first_timestamp, event.event_time) if t is not None]
    created = event.metadata.creation_timestamp
    return min(first or [*_times(event), *([created] if created is not None else [])], default=None)


def times_observed(event: Event) -> int:
    """How often it happened, at least once."""
    return max(event.count, event.series.count if event.series is not None else 0, 1)


def _times(event: Event) -> list[datetime]:
    series = event.series.last_observed_time if event.series is not None else None
    times = (series, event.last_timestamp, event.event_time, event.first_timestamp)
    return [each for each in times if each is not None]
