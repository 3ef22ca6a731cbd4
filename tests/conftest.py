"""What every test may ask for, the rungs, and how tests share the machine."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests import schedule, writes
from tests.rungs.fixtures import control_plane, drill_cluster, nodes_lab, rung, workloads

__all__ = ["control_plane", "drill_cluster", "nodes_lab", "rung", "workloads"]

# A busy machine draws examples slowly; that fails no test.
settings.register_profile("stanch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stanch")


def pytest_configure() -> None:
    # What is collected and what drills leave in caches is millions of objects that live to the end:
    # to look through them all at each quarter more takes a quarter of the CPU of some files.
    gc.set_threshold(10_000, 10, 50)
    writes.watch()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return (os.cpu_count() or 1) + schedule.BESIDE


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> schedule.Schedule:
    return schedule.Schedule(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The clusters of a unit end with its last test. What is scoped to the session would run, idle,
    until the last of all tests: two real nodes take 6 % of a core."""
    if nextitem is not None and schedule.unit(nextitem.nodeid) != schedule.unit(item.nodeid):
        item.session._setupstate.teardown_exact(None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests are shared out, begin with the longest units."""
    for item in items:
        if (
            "nodes_lab" in getattr(item, "fixturenames", ())
            and schedule.unit(item.nodeid) not in schedule.ALL_LABS
        ):
            raise pytest.UsageError(
                f"{item.nodeid} needs real nodes: name its file test_…_on_nodes.py, so that it "
                "shares a lab with others"
            )
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -schedule.seconds(item.nodeid))
