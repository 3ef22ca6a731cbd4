"""pods/log: lines from the scenario, else a few lines of a healthy program."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, dig, digest, parse_duration, parse_time, stable_fraction
from drills.pods.mini_shell import printed
from drills.pods.selection import ZoneOf, matches
from drills.pods.surroundings import PodEnvironment

_ORDINARY = (
    'level=info msg="request served" status=200 path=/healthz',
    'level=info msg="request served" status=200',
    'level=info msg="cache refreshed"',
    'level=info msg="connection pool idle=4 active=2"',
)
_EPOCH = parse_time("2026-01-01T00:00:00Z")
_OLDEST = timedelta(hours=6)
"""How far back repeated lines go."""
TimedLine = tuple[datetime, str]


def lines(
    around: PodEnvironment,
    pod: Obj,
    container: str,
    *,
    previous: bool,
    since: datetime,
    until: datetime,
    zone: ZoneOf,
) -> list[TimedLine]:
    """Lines of one container between two times, in order. `previous` selects the previous run. A
    rule with `replaces` ends the lines of those before it."""
    statuses = dig(pod, "status", "containerStatuses", default=[])
    status: Obj = next((s for s in statuses if s["name"] == container), {})
    last = dig(status, "lastState", "terminated", default={})
    now = dig(status, "state", "running") or dig(status, "state", "terminated")
    run = last if previous else now or last
    if not run.get("startedAt"):
        return []
    ended, begun = run.get("finishedAt"), parse_time(run["startedAt"])
    start, stop = max(begun, since), min(parse_time(ended) if ended else until, until)
    out: list[TimedLine] = []
    ruled = False
    for at, rule in around.logs:
        mine = rule.get("container", container) == container
        if not mine or bool(rule.get("previous", previous)) != previous:
            continue
        if not matches(pod, rule.get("pods"), zone):
            continue
        ruled = ruled or not rule.get("add")
        if replaces := rule.get("replaces"):
            out = [line for line in out if line[0] < at]
        end = min(stop, _moment(at, rule["until"])) if "until" in rule else stop
        begin = (
            max(start, _moment(at, rule.get("from", "+0s")))
            if replaces or "from" in rule
            else start
        )
        for line in rule.get("lines", []):
            out.extend(_written(line, at, begin, end, pod, stop))
    if not ruled:
        spec: Obj = next((c for c in pod["spec"]["containers"] if c["name"] == container), {})
        if spec.get("command"):
            command = [*spec["command"], *(spec.get("args") or [])]
            out.extend((begun, text) for text in printed(command))
        else:
            for number, text in enumerate(_ORDINARY):
                line = {"every": f"{23 + 17 * number}s", "text": f"{text} component={container}"}
                out.extend(_written(line, stop, start, stop, pod, stop))
    return sorted(out, key=lambda line: line[0])


def _moment(at: datetime, text: str) -> datetime:
    span = parse_duration(text)
    return at + span if text.strip().startswith("+") else at - abs(span)


def _written(
    spec: Any, at: datetime, begin: datetime, end: datetime, pod: Obj, stop: datetime
) -> Iterator[TimedLine]:
    """`{at, text}`, `{every, text}`, `{last, text}` (seconds before the end of the run), or `-8m
    text`."""
    if isinstance(spec, str):
        when, _, text = spec.partition(" ")
        spec = {"at": when, "text": text}
    meta, text = pod["metadata"], str(spec["text"])
    node = str(dig(pod, "spec", "nodeName", default=""))
    for word, value in (("name", meta["name"]), ("namespace", meta["namespace"]), ("node", node)):
        text = text.replace("{" + word + "}", value)
    if "last" in spec:
        yield stop - abs(parse_duration(spec["last"])), text
    elif "every" in spec:
        step = parse_duration(spec["every"])
        offset = step * stable_fraction("log", meta["name"], text)
        number = int((max(begin, end - _OLDEST) - _EPOCH) / step)
        while (moment := _EPOCH + step * number + offset) <= end:
            if moment >= begin:
                code = digest("hex", text, number, size=8)
                yield moment, text.replace("{n}", str(number)).replace("{hex}", code)
            number += 1
    else:
        moment = _moment(at, str(spec["at"]))
        if begin <= moment <= end:
            yield moment, text
