"""What the parts of a session share: the connection, the components, and the tasks that run until
its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cluster.live.input_priority import InputPriority
from incident.activities import Activities
from incident.cadence import Cadence
from incident.options import Options
from incident.process import GcPolicy
from incident.report.reporter import Reporter
from timeline.summary import ClusterId

if TYPE_CHECKING:
    from cluster.connect.access import Access
    from cluster.live.live_cluster import LiveCluster
    from incident.components import Components


class SessionState:
    """The state of one session. `live` and `access` are None until the kubeconfig is read,
    `components` until the session is started."""

    def __init__(
        self, options: Options, clock: Callable[[], datetime], cadence: Cadence | None
    ) -> None:
        self.options = options
        cadence = cadence or Cadence()
        self.cadence = cadence.single() if options.once else cadence
        self.local_clock = clock
        self.began = clock()
        self.components: Components | None = None
        self.live: LiveCluster | None = None
        self.access: Access | None = None
        self.problem = ""
        """Why there is no cluster to ask, or which part failed."""
        self.wake = asyncio.Event()
        self.asked = False
        """Whether a view is due although nothing in the live state changed."""
        self.retry = asyncio.Event()
        self.record_tried = asyncio.Event()
        """Set when the record is open, or could not be opened."""
        self.stopping = False
        self.input_priority = InputPriority()
        self.gc = GcPolicy(self.cadence)
        self.reporter = Reporter(self.clock, self.input_priority, self.cadence, once=options.once)
        self.activities = Activities(clock, self.ask)
        self.on_problem: Callable[[], None] = lambda: None
        """Called when a task failed."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def clock(self) -> datetime:
        return self.components.clock() if self.components is not None else self.local_clock()

    def ready(self) -> Components:
        """Raises RuntimeError before the start."""
        if self.components is None:
            raise RuntimeError("the investigation has not been started")
        return self.components

    def cluster(self) -> ClusterId:
        access = self.access
        if access is None:
            return ClusterId()
        return ClusterId(access.context, access.server, self.ready().cluster_uid())

    def ask(self) -> None:
        """Request a view: something outside the live state changed."""
        self.asked = True
        self.wake.set()

    # -- tasks

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Show on every screen that a task failed; otherwise the screens would look as if it were
        still connecting."""
        self._tasks.discard(task)
        if self.stopping or task.cancelled() or (error := task.exception()) is None:
            return
        self.problem = (
            f"Part {task.get_name()!r} failed ({type(error).__name__}: {error}); start stanch "
            "again; the record is kept."
        )
        self.on_problem()
        self.ask()

    async def end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
