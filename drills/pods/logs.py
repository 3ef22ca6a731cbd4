"""pods/log: lines from the scenario, otherwise a quiet rhythm that fits a healthy program."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, dig, digest, parse_duration, parse_time, stable_fraction
from drills.api.surroundings import Surroundings
from drills.api.world import matches
from drills.pods.mini_shell import printed

_ORDINARY = (
    'level=info msg="request served" status=200 path=/healthz',
    'level=info msg="request served" status=200',
    'level=info msg="cache refreshed"',
    'level=info msg="connection pool idle=4 active=2"',
)
Line = tuple[datetime, str]


def lines(
    around: Surroundings,
    pod: Obj,
    container: str,
    *,
    previous: bool,
    since: datetime,
    until: datetime,
    zone: Any,
) -> list[Line]:
    """Lines of one container between two moments, in order. `previous` gives those of the run
    before."""
    status: Obj = next(
        (s for s in dig(pod, "status", "containerStatuses", default=[]) if s["name"] == container),
        {},
    )
    if previous:
        gone = dig(status, "lastState", "terminated", default={})
        begun, ended = gone.get("startedAt"), gone.get("finishedAt")
    else:
        running = (
            dig(status, "state", "running")
            or dig(status, "state", "terminated")
            or dig(status, "lastState", "terminated", default={})
        )
        begun, ended = running.get("startedAt"), running.get("finishedAt")
    if not begun:
        return []
    start, stop = parse_time(begun), parse_time(ended) if ended else until
    start, stop = max(start, since), min(stop, until)
    out: list[Line] = []
    ruled = False
    for at, rule in around.logs:
        if (
            not matches(pod, rule.get("pods", {}), zone)
            or rule.get("container", container) != container
        ):
            continue
        if bool(rule.get("previous", previous)) != previous:
            continue
        ruled = ruled or not rule.get("add")
        end = min(stop, _ago(at, rule["until"])) if "until" in rule else stop
        begin = max(start, _ago(at, rule["from"])) if "from" in rule else start
        for line in rule.get("lines", []):
            out.extend(_written(line, at, begin, end, pod, stop))
    spec: Obj = next((c for c in pod["spec"]["containers"] if c["name"] == container), {})
    if not ruled and spec.get("command"):
        out.extend(
            (parse_time(begun), text)
            for text in printed([*spec["command"], *(spec.get("args") or [])])
        )
    elif not ruled:
        out.extend(_rhythm(pod, container, start, stop))
    out.sort(key=lambda line: line[0])
    return out


def _ago(at: datetime, text: str) -> datetime:
    span = parse_duration(text)
    return at + span if text.strip().startswith("+") else at - abs(span)


def _written(
    spec: Any, at: datetime, begin: datetime, end: datetime, pod: Obj, stop: datetime
) -> Iterator[Line]:
    """`{at, text}`, `{every, text}`, `{last, text}` (seconds before the end of the run), or `-8m
    text`."""
    if isinstance(spec, str):
        when, _, text = spec.partition(" ")
        spec = {"at": when, "text": text}
    text = (
        str(spec["text"])
        .replace("{name}", pod["metadata"]["name"])
        .replace("{namespace}", pod["metadata"]["namespace"])
    )
    text = text.replace("{node}", str(dig(pod, "spec", "nodeName", default="")))
    if "last" in spec:
        yield stop - abs(parse_duration(spec["last"])), text
    elif "every" in spec:
        step = parse_duration(spec["every"])
        offset = step * stable_fraction("log", pod["metadata"]["name"], text)
        first = max(begin, end - timedelta(hours=6))
        ticks = int((first - _EPOCH) / step)
        moment = _EPOCH + step * ticks + offset
        number = ticks
        while moment <= end:
            if moment >= begin:
                yield (
                    moment,
                    text.replace("{n}", str(number)).replace(
                        "{hex}", digest("hex", text, number, size=8)
                    ),
                )
            moment += step
            number += 1
    else:
        moment = _ago(at, str(spec["at"]))
        if begin <= moment <= end:
            yield moment, text


_EPOCH = parse_time("2026-01-01T00:00:00Z")


def _rhythm(pod: Obj, container: str, start: datetime, stop: datetime) -> Iterator[Line]:
    for number, text in enumerate(_ORDINARY):
        yield from _written(
            {"every": f"{23 + 17 * number}s", "text": f"{text} component={container}"},
            stop,
            start,
            stop,
            pod,
            stop,
        )
