"""CronJobs of a served cluster: due runs start, old ones go, a late one stays late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drills.api.objects import Obj
from drills.controllers.schedules import Schedules, is_due
from drills.scenario.expand import expand
from drills.server.state import ServerState
from tests.drills.conftest import NOW, scenario


class Idle:
    """Kubelets that start nothing."""

    async def run(self, pod: Obj) -> None:
        pass

    async def start_waiting(self, pod: Obj) -> None:
        raise AssertionError("not a pod that waits for a volume")

    async def start_ephemeral(self, pod: Obj) -> None:
        pass

    async def stop(self, pod: Obj) -> bool:
        return True


def cron(name: str, **more: object) -> dict[str, object]:
    row = {"kind": "CronJob", "namespace": "shop", "name": name, "image": "sweep:1"}
    return {**row, "schedule": "*/15 * * * *", "every": "15m", "history": 3, **more}


async def test_due_runs_start_once_and_the_oldest_go() -> None:
    now = begun = NOW + timedelta(minutes=5)
    state = ServerState(clock=lambda: now)
    rows = [cron("sweep", history=5), cron("late", lastRun="3h")]
    state.load(expand(scenario(background="small", workloads=rows), begun))
    state.context.start()
    schedules = Schedules(state.context, Idle())
    schedules.find_late(now)
    jobs = state.context.of

    def names(owner: str) -> list[str]:
        found = [job["metadata"]["name"] for job in jobs("Job", "shop")]
        return sorted(name for name in found if name.startswith(owner))

    before, late = names("sweep"), names("late")
    now = NOW.replace(minute=NOW.minute // 15 * 15, second=5) + timedelta(minutes=15)
    await schedules.tick(now)
    await schedules.tick(now)
    after = names("sweep")
    assert (len(before), len(after)) == (5, 4)
    assert len(set(after) - set(before)) == 1
    assert names("late") == late
    await state.context.stop()


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", True),
        ("*/15 * * * *", True),
        ("*/7 * * * *", False),
        ("30 6 * * 1-5", True),
        ("0,30 4-8 * * *", True),
        ("30 6 * * 0", False),
        ("nonsense", False),
        ("10-59/20 * * * *", True),
        ("15-59/20 * * * *", False),
        ("30 6 * NOV MON", False),
        ("@hourly", False),
        ("*/0 * * * *", False),
    ],
)
def test_a_schedule_names_its_minutes(schedule: str, due: bool) -> None:
    monday = NOW.replace(year=2026, month=11, day=23, hour=6, minute=30)
    assert is_due(schedule, monday) is due
