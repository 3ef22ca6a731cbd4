"""One object: summary and conditions, its events in absolute time, what owns it and what hangs on
it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cluster.kube import objects as k
from cluster.kube.event_times import last_time, times_observed
from cluster.kube.objects import Ref
from cluster.live.store import Store
from incident.tables.columns import columns
from incident.tables.table import show
from text.lines import BLANK, Line, line, paragraphs, rule, wrap
from text.words import ago, clock, count

PARTS = ("summary", "events", "logs", "yaml", "related")
TITLES = {
    "summary": "summary",
    "events": "events",
    "logs": "logs",
    "yaml": "YAML",
    "related": "owners and dependants",
}


def gone_lines(ref: Ref, known: bool, width: int) -> list[Line]:
    text = (
        f"{ref} is gone: it was deleted while you looked."
        if known
        else f"{ref} is not among what was read. It may be gone, or not read yet."
    )
    return [BLANK, *paragraphs(text, width - 2, "warning", 1)]


def summary_lines(ref: Ref, item: Any, store: Store, now: datetime, width: int) -> list[Line]:
    """All columns of its table, labels, containers, conditions."""
    meta = item.metadata
    lines: list[Line] = []
    for column in columns(ref.kind):
        text = show(column, column.value(item, store), now)
        if text and column.name not in ("name", "namespace", "age"):
            lines += _field(column.name, text, width)
    lines += _field(
        "created",
        f"{clock(meta.creation_timestamp, now)} UTC, {ago(meta.creation_timestamp, now)} ago",
        width,
    )
    if meta.deletion_timestamp is not None:
        finalizers = f"; waits for {', '.join(meta.finalizers)}" if meta.finalizers else ""
        lines += _field(
            "deleted",
            f"since {clock(meta.deletion_timestamp, now)} UTC{finalizers}",
            width,
            "warning",
        )
    if isinstance(item, k.Node):
        lines += [
            row
            for taint in item.spec.taints
            for row in _field(
                "taint", f"{taint.key}={taint.value}:{taint.effect}", width, "warning"
            )
        ]
        lines += _field(
            "allocatable",
            ", ".join(f"{name} {value}" for name, value in sorted(item.status.allocatable.items())),
            width,
        )
    if meta.labels:
        lines += _field(
            "labels",
            "  ".join(f"{name}={value}" for name, value in sorted(meta.labels.items())),
            width,
        )
    if isinstance(item, k.Pod):
        lines += _containers(item, now, width)
    if item_conditions := getattr(getattr(item, "status", None), "conditions", ()):
        lines += [
            BLANK,
            rule("conditions", width),
            *(row for condition in item_conditions for row in _condition(condition, now, width)),
        ]
    if managers := getattr(meta, "managed_fields", ()):
        lines += [BLANK, rule("last changed by", width)]
        for manager in sorted(
            managers, key=lambda m: m.time.timestamp() if m.time else 0.0, reverse=True
        )[:6]:
            lines += wrap(
                line(
                    f" {clock(manager.time, now)} UTC  ",
                    (manager.manager, "strong"),
                    f"  {manager.operation} {manager.subresource}",
                ),
                width,
                3,
            )
    return lines


def _field(label: str, text: str, width: int, style: str = "plain") -> list[Line]:
    return wrap(line((f" {label:<13}", "muted"), (text, style)), width, 14) if text else []


def _condition(condition: k.Condition, now: datetime, width: int) -> list[Line]:
    expected = (
        "False"
        if condition.type.endswith(("Pressure", "Unavailable", "Failure", "Problem"))
        else "True"
    )
    style = "plain" if condition.status == expected else "warning"
    since = (
        f"since {clock(condition.last_transition_time, now)} UTC"
        if condition.last_transition_time
        else ""
    )
    text = f"  {condition.reason}  {condition.message}".rstrip()
    return wrap(
        line(
            " ",
            (f"{condition.type:<22}", "strong"),
            (f"{condition.status:<8}", style),
            (since, "muted"),
            text,
        ),
        width,
        5,
    )


def _containers(pod: k.Pod, now: datetime, width: int) -> Iterator[Line]:
    yield BLANK
    yield rule("containers", width)
    statuses = {
        status.name: status
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    }
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        status = statuses.get(container.name)
        state, style = _state(status.state, now) if status else ("not started", "unknown")
        yield from wrap(line(" ", (container.name, "strong"), "  ", (state, style)), width, 3)
        yield from wrap(
            line(("   image ", "muted"), container.image or (status.image if status else "")),
            width,
            9,
        )
        if status is not None and status.image_id:
            yield from wrap(line(("   is    ", "muted"), status.image_id), width, 9)
        if status is not None and status.restart_count:
            last, last_style = _state(status.last_state, now)
            yield from wrap(
                line(
                    ("   restarts ", "muted"),
                    (str(status.restart_count), "warning"),
                    ("  before that: ", "muted"),
                    (last, last_style),
                ),
                width,
                5,
            )
        wanted = container.resources
        if wanted.requests or wanted.limits:
            texts = [
                f"{kind} {' '.join(f'{n} {v}' for n, v in sorted(values.items()))}"
                for kind, values in (("asks for", wanted.requests), ("limit", wanted.limits))
                if values
            ]
            yield from wrap(line(("   " + "; ".join(texts), "plain")), width, 5)


def _state(state: k.ContainerState, now: datetime) -> tuple[str, str]:
    if state.waiting is not None:
        return f"waiting: {state.waiting.reason} {state.waiting.message}".strip(), "warning"
    if state.running is not None:
        return f"running since {clock(state.running.started_at, now)} UTC", "good"
    ended = state.terminated
    if ended is not None:
        code = f"signal {ended.signal}" if ended.signal else f"exit code {ended.exit_code}"
        return (
            f"ended at {clock(ended.finished_at, now)} UTC: {ended.reason or 'no reason given'}, "
            f"{code} {ended.message}".rstrip(),
            "plain" if ended.exit_code == 0 else "critical",
        )
    return "not known", "unknown"


def events_of(ref: Ref, store: Store) -> list[k.Event]:
    """Events about the object, newest first. Events of cluster-scoped objects stand in the
    namespace `default`."""
    events: Sequence[k.Event] = list(
        store.in_namespace("Event", ref.namespace or "default").values()
    )
    mine = [
        e
        for e in events
        if (e.involved_object.kind, e.involved_object.name) == (ref.kind, ref.name)
    ]
    return sorted(
        mine,
        key=lambda e: (moment.timestamp() if (moment := last_time(e)) else 0.0, e.metadata.name),
        reverse=True,
    )


def event_lines(events: Sequence[k.Event], now: datetime, width: int) -> list[Line]:
    if not events:
        return [
            BLANK,
            *paragraphs(
                "No events about it are known. The server forgets them, most often after an hour.",
                width - 2,
                "muted",
                1,
            ),
        ]
    lines: list[Line] = []
    for event in events[:300]:
        times = times_observed(event)
        first = event.first_timestamp
        often = f"  {count(times)} times since {clock(first, now)}" if times > 1 and first else ""
        style = "warning" if event.type == "Warning" else "plain"
        lines += wrap(
            line(
                f" {clock(last_time(event), now)}  ",
                (f"{event.type:<8}", style),
                (event.reason, "strong"),
                (often, "muted"),
            ),
            width,
            3,
        )
        lines += paragraphs(event.message, width - 2, indent=11)
    return lines


def related_lines(found: Sequence[tuple[str, Ref]], store: Store, width: int) -> list[Line]:
    """Each can be opened; what is named but was not read is said to be missing or unknown."""
    if not found:
        return [
            BLANK,
            *paragraphs(
                "Nothing owns it and nothing that is known hangs on it.", width - 2, "muted", 1
            ),
        ]
    lines: list[Line] = []
    for how, ref in found:
        known = store.get(ref.kind, ref.namespace, ref.name) is not None
        note = ("", "plain") if known else ("  not among what was read", "unknown")
        lines += wrap(
            line(" ", (f"{how:<10}", "muted"), (str(ref), "strong"), note, target="|".join(ref)),
            width,
            12,
        )
    return lines


def tabs_line(part: str, parts: Sequence[str], width: int) -> Line:
    """The parts, the shown one in brackets: seen without colour."""
    spans: list[str | tuple[str, str]] = [" "]
    for each in parts:
        spans.append(
            (f"[{TITLES[each]}]  ", "key") if each == part else (f" {TITLES[each]}   ", "muted")
        )
    return line(*spans)
