"""The CronJob controller of a served cluster: starts the runs that fall due, and removes old ones.

A scenario is served as it was written for ten minutes; without runs after that, triage would report
schedules that are missed.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from drills.api.objects import Obj, controller_of, created_at, dig, parse_time
from drills.controllers.jobs import Jobs
from drills.controllers.live import LiveContext
from drills.controllers.workloads import PodRunner

_UNTOUCHED = timedelta(minutes=10)
_MINUTE = timedelta(minutes=1)
_LOOK_BACK = 24 * 60
"""Minutes in which a missed run is looked for."""


class Schedules:
    """A CronJob that missed a run before the start stays as it is: that is its fault."""

    def __init__(self, context: LiveContext, kubelets: PodRunner) -> None:
        self._context = context
        self._jobs = Jobs(context, kubelets)
        self._late: set[str] = set()
        """Uids of the CronJobs that missed a run before the start."""
        self._done: datetime | None = None
        """The last minute whose runs were started."""

    def start(self) -> None:
        self._context.spawn(self._run_forever())

    async def _run_forever(self) -> None:
        begun = self._context.now()
        self.find_late(begun)
        while True:
            await asyncio.sleep(1.0)
            now = self._context.now()
            if now - begun >= _UNTOUCHED:
                await self.tick(now)

    def find_late(self, now: datetime) -> None:
        """Note the CronJobs that missed a run before `now`."""
        before = now - _MINUTE
        found = (cron for cron in self._context.of("CronJob") if self._due(cron, before))
        self._late = {cron["metadata"]["uid"] for cron in found}

    async def tick(self, now: datetime) -> None:
        """Start the runs that are due, once a minute."""
        minute = now.replace(second=0, microsecond=0)
        if minute == self._done:
            return
        self._done = minute
        for cron in list(self._context.of("CronJob")):
            if cron["metadata"]["uid"] in self._late or cron["spec"].get("suspend"):
                continue
            runs = self._runs(cron)
            busy = any(run["status"].get("active") for run in runs)
            if self._due(cron, now) and not (
                busy and cron["spec"].get("concurrencyPolicy") == "Forbid"
            ):
                await self._jobs.start_run(cron)
                self._forget(cron, runs)

    def _due(self, cron: Obj, now: datetime) -> bool:
        """Whether a due time has passed since the last run."""
        last = parse_time(cron["status"].get("lastScheduleTime") or _created(cron))
        minute, back = now.replace(second=0, microsecond=0), 0
        while minute > last and back < _LOOK_BACK:
            if is_due(cron["spec"]["schedule"], minute):
                return True
            minute, back = minute - _MINUTE, back + 1
        return False

    def _runs(self, cron: Obj) -> list[Obj]:
        """The Jobs of a CronJob, the newest first."""
        uid = cron["metadata"]["uid"]
        jobs = self._context.of("Job", cron["metadata"]["namespace"])
        own = [job for job in jobs if (controller_of(job) or {}).get("uid") == uid]
        return sorted(own, key=created_at, reverse=True)

    def _forget(self, cron: Obj, runs: list[Obj]) -> None:
        """Remove the completed Jobs beyond the history limit, with their pods."""
        completed = [run for run in runs if run["status"].get("completionTime")]
        for job in completed[int(cron["spec"].get("successfulJobsHistoryLimit", 3)) :]:
            for pod in list(self._context.of("Pod", job["metadata"]["namespace"])):
                if (controller_of(pod) or {}).get("uid") == job["metadata"]["uid"]:
                    self._context.remove(pod)
            self._context.remove(job)


def _created(obj: Obj) -> str:
    return str(dig(obj, "metadata", "creationTimestamp"))


def is_due(schedule: str, at: datetime) -> bool:
    """Whether a schedule names this minute, in UTC. Understands `*`, `*/5`, numbers, lists and
    ranges; what it does not understand is never due."""
    fields = schedule.split()
    values = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
    return len(fields) == len(values) and all(map(_names, fields, values))


def _names(field: str, value: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if low in ("*", "?"):
            low, high = "0", str(value)
        if not all(text.isdecimal() for text in (low, high or low, step or "1")):
            continue  # a name of a month or day
        first, last = int(low), int(high or (value if step else low))
        every = int(step or 1)
        if every and first <= value <= last and (value - first) % every == 0:
            return True
    return False
