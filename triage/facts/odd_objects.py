"""Objects that cannot be evaluated: impossible times, and errors that follow from them.

A tenant who may write one object (an Event, a condition) may write any time into it. Such an object
costs only itself: the report names it, evaluates it once more without those times, and is otherwise
complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from cluster.kube.objects import Ref
from triage.facts.finding import Gap

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
"""Before this year there was no Kubernetes."""
_UNSET = datetime(1970, 1, 1, tzinfo=UTC)
"""Runtimes write it for an unknown time; it counts as missing."""
AHEAD = timedelta(minutes=5)
"""Clocks of nodes may be ahead of the server's by this much."""
_FOREVER = timedelta(days=366 * 10_000)
_PLANNED = {"deletion_timestamp": timedelta(days=7)} | dict.fromkeys(
    ("not_after", "renewal_time"), _FOREVER
)
"""Fields whose time may lie ahead by design: a grace period, the end of a certificate."""
OUT_OF_RANGE = "time out of range"
_LISTED = 3
_KEPT = 1_000

T = TypeVar("T")


def odd_time(at: datetime | None, now: datetime, ahead: timedelta = AHEAD) -> bool:
    """Whether a time (aware) cannot be true at `now`."""
    return at is not None and (at < EARLIEST or at - now > ahead)


def without_odd_times(row: T, now: datetime) -> tuple[T, bool]:
    """The object (a Struct) without times that cannot be true, and whether it had any besides the
    epoch, which means "not set"."""
    found = False

    def clean(value: Any, name: str) -> Any:
        nonlocal found
        if isinstance(value, datetime):
            if not odd_time(value, now, _PLANNED.get(name, AHEAD)):
                return value
            found = found or value != _UNSET
            return None
        if isinstance(value, msgspec.Struct):
            changed = {
                field: after
                for field in value.__struct_fields__
                if (after := clean(before := getattr(value, field), field)) is not before
            }
            return replace(value, **changed) if changed else value
        if isinstance(value, (list, tuple)):
            items = [clean(item, name) for item in value]
            same = all(a is b for a, b in zip(items, value, strict=True))
            return value if same else type(value)(items)
        return value

    return clean(row, ""), found


class OddObjects:
    """What could not be understood, by object and by step of the report; the oldest objects are
    forgotten beyond a thousand."""

    def __init__(self) -> None:
        self._objects: dict[Ref, str] = {}

    def add(self, ref: Ref, why: str) -> None:
        self._objects.pop(ref, None)
        self._objects[ref] = why
        if len(self._objects) > _KEPT:
            del self._objects[next(iter(self._objects))]

    def discard(self, ref: Ref) -> None:
        self._objects.pop(ref, None)

    def __bool__(self) -> bool:
        return bool(self._objects)

    def gaps(self, steps: Mapping[str, str]) -> list[Gap]:
        """Gaps for the report; `steps` are parts of the report that failed, with the reason."""
        found = []
        if self._objects:
            count = len(self._objects)
            named = [f"{ref} ({why})" for ref, why in sorted(self._objects.items())[:_LISTED]]
            if count > _LISTED:
                named.append(f"{count - _LISTED} more")
            noun = "object" if count == 1 else "objects"
            found.append(Gap(f"{count} {noun} not understood", ", ".join(named)))
        found.extend(Gap(f"triage of {step}", why) for step, why in sorted(steps.items()))
        return found


class Fence:
    """Keeps an error of one part of the report from ending the others: `with fence("titles"): …`.

    `failed` takes the parts that failed, with the reason.
    """

    def __init__(self, failed: dict[str, str]) -> None:
        self._failed = failed

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Any error: the rest of the report continues.
            self._failed[part] = reason(error)


def reason(error: Exception) -> str:
    """Why an object could not be evaluated, in two words."""
    if isinstance(error, OverflowError):
        return OUT_OF_RANGE
    return f"not readable, {type(error).__name__}"
