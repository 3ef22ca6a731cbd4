"""Reading gives priority to keys: at once, for a moment, and never for more than half of the time."""

from __future__ import annotations

import asyncio

import pytest

from cluster.live.input_priority import MOMENT, InputPriority


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def waited(time: Time, input_priority: InputPriority) -> float:
    began = time.now
    asyncio.run(input_priority())
    return time.now - began


def test_background_work_pauses_for_one_moment_after_a_key_and_never_before(time: Time) -> None:
    priority = InputPriority()
    assert waited(time, priority) == 0
    priority.ask()
    assert waited(time, priority) == pytest.approx(MOMENT)
    assert waited(time, priority) == 0


def test_however_many_keys_come_half_of_the_time_belongs_to_the_others(time: Time) -> None:
    priority, lost = InputPriority(), 0.0
    began = time.now
    while time.now - began < 1.0:
        priority.ask()
        lost += waited(time, priority)
        time.now += 0.0005  # what a piece of work takes
    assert 0.4 < lost / (time.now - began) < 0.6


def test_how_long_it_has_been_quiet(time: Time) -> None:
    priority = InputPriority()
    assert priority.quiet() > 3600
    priority.ask()
    time.now += 3
    priority.ask()
    time.now += 2
    assert priority.quiet() == pytest.approx(2)


async def test_one_slice_runs_in_each_pass_of_the_loop_however_many_tasks_wait() -> None:
    priority, passes, slices = InputPriority(), 0, list[tuple[int, int]]()
    loop = asyncio.get_running_loop()

    def count() -> None:
        nonlocal passes
        passes += 1
        if len(slices) < 15:
            loop.call_soon(count)

    async def work(number: int) -> None:
        for _ in range(3):
            await priority.turn()
            slices.append((passes, number))

    loop.call_soon(count)
    await asyncio.gather(*map(work, range(5)))
    assert [number for _, number in slices] == [0, *[*range(5)] * 2, 1, 2, 3, 4]
    assert len({at for at, _ in slices}) == len(slices)


async def test_a_task_that_ends_while_it_waits_gives_its_turn_to_the_next() -> None:
    priority, done = InputPriority(), list[int]()

    async def work(number: int) -> None:
        await priority.turn()
        done.append(number)

    for cut_after in range(6):  # at each pass of the loop: before, at and after its turn
        tasks = [asyncio.create_task(work(number)) for number in range(4)]
        for _ in range(cut_after):
            await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert set(done) >= {0, 2, 3}
        done.clear()
