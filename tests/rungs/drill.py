"""The lowest rung: the embedded cluster, served from a thread of the test process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.rungs.cluster import Cluster
from tests.rungs.processes import RungMissing


@contextmanager
def drill_cluster() -> Iterator[Cluster]:
    """An embedded cluster without a scenario. Raises RungMissing while `drills` has no server."""
    try:
        import drills.run  # noqa: F401 - present or not is the question
    except ModuleNotFoundError as missing:
        raise RungMissing(f"the embedded cluster cannot be imported: {missing}") from missing
    raise RungMissing("the embedded cluster is not joined to the rungs yet")
    yield  # pragma: no cover
