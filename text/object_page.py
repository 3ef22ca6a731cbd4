"""One object: summary and conditions, its events, what owns it and what depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from shlex import quote
from typing import Any

from cluster.kube import objects as k
from cluster.kube.event_times import last_time, times_observed
from cluster.kube.objects import Ref
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from incident.tables.columns import columns
from incident.tables.health import Health, health
from incident.tables.pod_status import silence
from incident.tables.table import show
from text.keys import NO_KEYS, Keys
from text.lines import BLANK, Line, Part, field, line, prose, rule
from text.node_page import node_lines
from text.symptoms.changes import NO_OWN, Own, change_lines
from text.words import ago, clock, count
from triage.facts.finding import ChangeFact
from triage.facts.measurements import NodeUsage

PARTS = ("summary", "events", "yaml", "related")
TITLES = {
    "summary": "summary",
    "events": "events",
    "yaml": "YAML",
    "related": "owners and dependants",
}
SIZE = 13
COPIES = "copy:"
"""Begins the target of a line with a command to copy."""
EVENTS = 300
"""Most Events shown."""
NO_EVENTS = "No events about it are known. The server deletes Events, by default after an hour."
NORMALLY_FALSE = ("Pressure", "Unavailable", "Failure", "Problem")
"""Suffixes of condition types that are False on a healthy object."""


def value_lines(values: Sequence[tuple[str, str]]) -> list[Line]:
    """Single values of the status and the spec of a custom resource."""
    if not values:
        return []
    size = min(30, max(len(name) for name, _ in values) + 1)
    return [BLANK, rule("values"), *(field(name, text, size=size) for name, text in values)]


def gone_lines(ref: Ref, known: bool) -> list[Line]:
    """Shown for a missing object; `known`: it existed before."""
    gone = f"{ref} is gone: it was deleted while you looked."
    unread = f"{ref} is not among what was read. It may be gone, or not read yet."
    return [BLANK, *prose(gone if known else unread, "warning")]


def summary_lines(
    ref: Ref,
    item: Any,
    store: Store,
    now: datetime,
    usage: NodeUsage | None = None,
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """All columns of its table, labels, containers, conditions."""
    meta = item.metadata
    lines: list[Line] = []
    for column in columns(ref.kind):
        text = show(column, column.value(item, store), now)
        if text and column.name not in ("name", "namespace", "age"):
            target = _mentioned(ref, item, column.name)
            lines.append(field(column.name, text, size=SIZE, target=target))
    made = meta.creation_timestamp
    created = f"{clock(made, now)} UTC, {ago(made, now)} ago"
    lines.append(field("created", created, size=SIZE))
    if meta.deletion_timestamp is not None:
        waits = f"; waits for {', '.join(meta.finalizers)}" if meta.finalizers else ""
        text = f"since {clock(meta.deletion_timestamp, now)} UTC{waits}"
        lines.append(field("being deleted", (text, "warning"), size=SIZE + 1))
    if isinstance(item, k.Service):
        lines += _endpoints(ref, store)
    if isinstance(item, k.Node):
        lines += node_lines(item, usage, store, now, keys)
    if isinstance(item, k.Pod):
        if (silent := silence(store.get("Node", "", item.spec.node_name))) is not None:
            at = silent.last_transition_time
            since = f" since {clock(at, now)} UTC ({ago(at, now)})" if at else ""
            text = f"{item.spec.node_name} has been silent{since}: all below is its last report."
            lines += [BLANK, *prose(text, "warning")]
        lines += _containers(item, now)
    if conditions := getattr(getattr(item, "status", None), "conditions", ()):
        lines += [BLANK, rule("conditions"), *(_condition(each, now) for each in conditions)]
    if meta.labels:
        lines += [BLANK, rule("labels")]
        lines += [line(f" {name}={value}", hang=3) for name, value in sorted(meta.labels.items())]
    return [*lines, *_managers(meta, now)]


def _endpoints(service: Ref, store: Store) -> Iterator[Line]:
    """How many endpoints of a Service are ready, as its slices say; without a slice nothing is
    known: they may not have been read."""
    ready = total = 0
    first = ""
    for slice_ in store.in_namespace("EndpointSlice", service.namespace).values():
        if slice_.metadata.labels.get("kubernetes.io/service-name") == service.name:
            first = first or "|".join(("EndpointSlice", service.namespace, slice_.metadata.name))
            ready += sum(each.conditions.ready is not False for each in slice_.endpoints)
            total += len(slice_.endpoints)
    if first:
        style = "plain" if ready else "warning"
        yield field("endpoints", (f"{ready} of {total} ready", style), size=SIZE, target=first)


def _mentioned(ref: Ref, item: Any, column: str) -> str:
    """The object that a field names, as a target to open; "" for none."""
    found: Ref | None = None
    if column == "node" and isinstance(item, k.Pod | k.VolumeAttachment):
        found = Ref("Node", "", item.spec.node_name)
    elif column == "owner" and (owner := controller_of(item.metadata)) is not None:
        found = owner
    elif column == "object" and isinstance(item, k.Event):
        about = item.involved_object
        found = Ref(about.kind, about.namespace, about.name)
    elif column == "volume" and isinstance(item, k.VolumeAttachment):
        found = Ref("PersistentVolume", "", item.spec.source.persistent_volume_name or "")
    elif column == "volume" and isinstance(item, k.PersistentVolumeClaim):
        found = Ref("PersistentVolume", "", item.spec.volume_name)
    elif column == "service" and isinstance(item, k.EndpointSlice):
        name = item.metadata.labels.get("kubernetes.io/service-name", "")
        found = Ref("Service", ref.namespace, name)
    elif column == "claim" and isinstance(item, k.PersistentVolume) and item.spec.claim_ref:
        claim = item.spec.claim_ref
        found = Ref("PersistentVolumeClaim", claim.namespace, claim.name)
    elif column == "target" and isinstance(item, k.HorizontalPodAutoscaler):
        scaled = item.spec.scale_target_ref
        found = Ref(scaled.kind, ref.namespace, scaled.name)
    return "|".join(found) if found is not None and found.name else ""


def kubectl_lines(ref: Ref, item: Any, resource: str = "") -> Iterator[Line]:
    """What is left to kubectl on purpose, with the command to copy. `resource`: how kubectl names
    the kind where its name alone may mean two."""
    where = f"kubectl -n {quote(ref.namespace)}" if ref.namespace else "kubectl"
    kind, name = resource or ref.kind.lower(), quote(ref.name)
    yield BLANK
    yield rule("not done here: commands for kubectl", "enter copies one")
    if isinstance(item, k.Pod):
        names = [container.name for container in item.spec.containers]
        ports = [port.container_port for c in item.spec.containers for port in c.ports]
        container = quote(names[0]) if names else "CONTAINER"
        shell = f"{where} exec -it {name} -c {container} -- sh"
        yield _command("shell", shell)
        forward = f"{where} port-forward pod/{name} {ports[0] if ports else 'PORT'}"
        yield _command("port-forward", forward)
    elif isinstance(item, k.Service):
        port = item.spec.ports[0].port if item.spec.ports else "PORT"
        forward = f"{where} port-forward service/{name} {port}"
        yield _command("port-forward", forward)
    elif isinstance(item, k.Node):
        shell = f"kubectl debug node/{name} -it --image=busybox"
        yield _command("shell", shell)
    yield _command("edit", f"{where} edit {kind}/{name}")


def _command(label: str, text: str) -> Line:
    return field(label, (text, "key"), size=SIZE, target=f"{COPIES}{text}")


def change_part(
    ref: Ref, item: Any, changes: Sequence[ChangeFact], now: datetime, own: Own = NO_OWN
) -> list[Line]:
    """Changes of the object, of its owners and of objects that share its name."""
    owners = {Ref(o.kind, ref.namespace, o.name) for o in item.metadata.owner_references}
    mine = [change for change in changes if change.object == ref or change.object in owners]
    return [BLANK, rule("changes"), *change_lines(mine, now, own=own)] if mine else []


def _managers(meta: Any, now: datetime) -> list[Line]:
    managers = getattr(meta, "managed_fields", ())
    latest = sorted(managers, key=lambda m: m.time.timestamp() if m.time else 0.0, reverse=True)
    lines = [BLANK, rule("last changed by")] if latest else []
    for manager in latest[:6]:
        how = f"  {manager.operation} {manager.subresource}"
        at = f" {clock(manager.time, now)} UTC  "
        lines.append(line(at, (manager.manager, "strong"), how, hang=3))
    return lines


def _condition(condition: k.Condition, now: datetime) -> Line:
    expected = "False" if condition.type.endswith(NORMALLY_FALSE) else "True"
    style = "plain" if condition.status == expected else "warning"
    at = condition.last_transition_time
    since = f"since {clock(at, now)} UTC, {ago(at, now)}" if at else ""
    why = f"  {condition.reason}  {condition.message}".rstrip()
    name = (f"{condition.type:<21} ", "strong")
    return line(" ", name, (f"{condition.status:<8}", style), (since, "muted"), why, hang=5)


def _containers(pod: k.Pod, now: datetime) -> Iterator[Line]:
    yield BLANK
    yield rule("containers")
    every = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    statuses = {status.name: status for status in every}
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        yield from _container(container, statuses.get(container.name), now)


def _container(
    container: k.Container, status: k.ContainerStatus | None, now: datetime
) -> Iterator[Line]:
    state = _state(status.state, now) if status else ("not started", "unknown")
    yield line(" ", (container.name, "strong"), "  ", state, hang=3)
    yield _of_container("image", container.image or (status.image if status else ""))
    if status is not None and status.image_id:
        yield _of_container("is", status.image_id)
    if status is not None and status.restart_count:
        before = ("  before that: ", "muted"), _state(status.last_state, now)
        yield _of_container("restarts", (str(status.restart_count), "warning"), *before)
    for word, values in (
        ("requests", container.resources.requests),
        ("limit", container.resources.limits),
    ):
        if values:
            amounts = ", ".join(f"{name} {value}" for name, value in sorted(values.items()))
            yield _of_container(word, amounts)


def _of_container(label: str, *parts: Part) -> Line:
    return line((f"   {label:<9}", "muted"), *parts, hang=12)


def _state(state: k.ContainerState, now: datetime) -> tuple[str, str]:
    if state.waiting is not None:
        return f"waiting: {state.waiting.reason} {state.waiting.message}".strip(), "warning"
    if state.running is not None:
        started = state.running.started_at
        return f"running since {clock(started, now)} UTC, {ago(started, now)}", "good"
    ended = state.terminated
    if ended is None:
        return "not known", "unknown"
    code = f"signal {ended.signal}" if ended.signal else f"exit code {ended.exit_code}"
    reason = ended.reason or "no reason given"
    at = f"{clock(ended.finished_at, now)} UTC, {ago(ended.finished_at, now)} ago"
    text = f"ended at {at}: {reason}, {code} {ended.message}"
    return text.rstrip(), "plain" if ended.exit_code == 0 else "critical"


def events_of(ref: Ref, store: Store) -> list[k.Event]:
    """Events about the object, newest first. Events of cluster-scoped objects stand in the
    namespace `default`."""
    events = store.in_namespace("Event", ref.namespace or "default").values()
    about = (ref.kind, ref.name)
    mine = [e for e in events if (e.involved_object.kind, e.involved_object.name) == about]
    return sorted(mine, key=lambda e: (_seconds(last_time(e)), e.metadata.name), reverse=True)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def event_lines(events: Sequence[k.Event], now: datetime) -> list[Line]:
    """Each Event with its last time, its count and its message."""
    if not events:
        return [BLANK, *prose(NO_EVENTS, "muted")]
    lines: list[Line] = []
    for event in events[:EVENTS]:
        times, first = times_observed(event), event.first_timestamp
        last = last_time(event)
        often = f"  {count(times)} times since {clock(first, now)}" if times > 1 and first else ""
        often = f"  {ago(last, now)} ago{often}" if last else often
        kind = (f"{event.type:<8}", "warning" if event.type == "Warning" else "plain")
        at = f" {clock(last, now)}  "
        lines.append(line(at, kind, (event.reason, "strong"), (often, "muted"), hang=3))
        lines += prose(event.message, indent=11)
    return lines


def tree_lines(tree: Sequence[tuple[int, Ref]], here: Ref, store: Store) -> list[Line]:
    """Its owners above, its dependants below; each can be opened."""
    if len(tree) < 2:
        return []
    lines = [rule("owners and what they own")]
    for depth, ref in tree:
        item = store.get(*ref)
        state = health(item, store) if item is not None else None
        word, style = _HEALTH[state]
        name = (str(ref), "heading" if ref == here else "strong")
        lines.append(line(f" {'  ' * depth}", name, (word, style), hang=3, target="|".join(ref)))
    return [*lines, BLANK]


_HEALTH: Mapping[Health | None, tuple[str, str]] = {
    Health.BROKEN: ("  broken", "warning"),
    Health.WELL: ("", "plain"),
    Health.FINISHED: ("  finished", "muted"),
    None: ("  not watched: enter reads it", "unknown"),
}


def related_lines(found: Sequence[tuple[str, Ref]], store: Store) -> list[Line]:
    """Each can be opened. A named object that was not read is shown as missing or unknown."""
    if not found:
        return [BLANK, *prose("Nothing known depends on it.", "muted")]
    lines = [rule("needs, and is needed by")]
    for how, ref in found:
        known = store.get(ref.kind, ref.namespace, ref.name) is not None
        note = "" if known else ("  not among what was read", "unknown")
        lines.append(field(how, (str(ref), "strong"), note, size=10, target="|".join(ref)))
    return lines


def tabs_line(part: str) -> Line:
    """The tabs, the current one in brackets, which shows without colour."""
    return line(
        " ",
        *(
            (f"[{TITLES[each]}]  ", "key") if each == part else (f" {TITLES[each]}   ", "muted")
            for each in PARTS
        ),
    )
