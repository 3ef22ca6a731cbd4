"""What each drill has to be seen as: the answers that stand in the scenarios."""

from __future__ import annotations

from datetime import datetime

from drills.api.objects import parse_duration
from drills.scenario.catalogue import ids, load

DRILLS = tuple(ids())
TOLD = {name: told for name in DRILLS if (told := load(name).answer.told) is not None}
SILENT = tuple(name for name in DRILLS if load(name).answer.silent)


def shared_by(name: str, now: datetime) -> tuple[str, str] | None:
    """(what, value) that the failing things of a drill share, as a cohort says it."""
    shared = TOLD[name].shared
    if shared is None:
        return None
    what, value = shared["what"], shared["value"]
    if what == "created after":
        value = (now + parse_duration(value)).isoformat()
    return what, value
