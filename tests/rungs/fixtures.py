"""pytest fixtures that climb the rungs; `tests/conftest.py` makes them known to every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import pytest

from tests.rungs.cluster import Cluster
from tests.rungs.controlplane import control_plane as start_control_plane
from tests.rungs.drill import drill_cluster as start_drill
from tests.rungs.nodes import Lab
from tests.rungs.nodes import nodes as start_nodes
from tests.rungs.programs.processes import RungMissing

T = TypeVar("T")

RUNGS = ("drill", "control plane", "nodes")


def all_required() -> bool:
    """Whether a missing rung is a failure: in CI, or by STANCH_REQUIRE_RUNGS=all."""
    return os.environ.get("CI") == "true" or os.environ.get("STANCH_REQUIRE_RUNGS") == "all"


@contextmanager
def or_missing(name: str, start: AbstractContextManager[T]) -> Iterator[T]:
    """Climb a rung; where the machine cannot, skip the test with the rung's name and what is
    missing, or fail it where all are required."""
    with ExitStack() as stack:
        try:
            climbed = stack.enter_context(start)
        except RungMissing as missing:
            reason = f"rung '{name}' is missing on this machine: {missing}"
            if all_required():
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        yield climbed


@pytest.fixture(scope="session")
def drill_cluster() -> Iterator[Cluster]:
    """The embedded cluster."""
    with or_missing("drill", start_drill()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """Rung 1: etcd and kube-apiserver."""
    with or_missing("control plane", start_control_plane()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def workloads() -> Iterator[Cluster]:
    """Rung 2: with controllers, scheduler and kwok, empty."""
    with or_missing("control plane with workloads", start_control_plane(workloads=True)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def nodes_lab() -> Iterator[Lab]:
    """Rung 3: two real nodes."""
    with or_missing("nodes", start_nodes()) as lab:
        yield lab


@pytest.fixture(scope="session", params=RUNGS)
def rung(request: pytest.FixtureRequest) -> Cluster:
    """Each rung in turn: the same test runs on the embedded cluster, on a real API server and on
    real nodes."""
    if request.param == "nodes":
        lab: Lab = request.getfixturevalue("nodes_lab")
        return lab.cluster
    cluster: Cluster = request.getfixturevalue(
        {"drill": "drill_cluster", "control plane": "control_plane"}[request.param]
    )
    return cluster
