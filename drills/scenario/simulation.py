"""Simulated time: controllers and kubelets work on a past world as on a served cluster, until the
time at which the drill begins.

Each row of a scenario has its own simulation, in the order of the file: adding a workload at the
end moves no other pod. Rows state what a spec cannot (the nodes and ages of pods, a hanging Job,
refused pods); this module applies that.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable
from datetime import datetime, timedelta
from typing import Any

from drills.api.managed_fields import FieldManager
from drills.api.objects import (
    Obj,
    created_at,
    digest,
    is_active,
    rfc3339,
    stable_fraction,
    stable_suffix,
    stable_uid,
    zone_of,
)
from drills.controllers.context import ControllerContext, Work
from drills.controllers.jobs import Jobs
from drills.controllers.workloads import Workloads
from drills.pods.kubelet import Kubelets
from drills.scenario.world import Data, World

_READY_SECONDS = 6.0
_STAGGER = {"ReplicaSet": 4.0, "StatefulSet": 25.0}
"""Seconds between two pods of one controller."""


class _Pause:
    """Yields the time to wait to the simulation that runs the coroutine."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self._seconds


class Simulation(ControllerContext):
    """`data` is the row, `at` the start of simulated time. Fields of a row that apply here: nodes,
    notNodes, zone, podAges, noPods, seconds."""

    def __init__(self, world: World, data: Data, at: datetime) -> None:
        self.world, self._data, self._time = world, data, at
        self.pullable, self.next_ip = True, world.next_ip
        self.kubelets = Kubelets(self)
        self.workloads, self.jobs = Workloads(self, self.kubelets), Jobs(self, self.kubelets)
        self.hanging_since: datetime | None = None
        self.template: Obj = {}
        self.salt = ""
        self._due: list[tuple[datetime, int, Work]] = []
        self._spawned = 0
        self._placed: list[tuple[str, str]] | None = None
        self._draws: dict[tuple[str, str], str] = {}

    def run(self, work: Work, at: datetime | None = None) -> None:
        """Do `work` at a time (default: that of the last one) and everything that follows before
        the drill begins."""
        self._time = at or self._time
        self.spawn(work)
        self.settle()

    def settle(self) -> None:
        """Advance time until nothing is left to do or the drill begins."""
        while self._due:
            self._time, number, work = heapq.heappop(self._due)
            if self._time > self.world.now:
                work.close()
                continue
            try:
                pause = work.send(None)
            except StopIteration:
                continue
            heapq.heappush(self._due, (self._time + timedelta(seconds=pause), number, work))

    # --- ControllerContext

    def now(self) -> datetime:
        return self._time

    def spawn(self, work: Work) -> None:
        self._spawned += 1
        heapq.heappush(self._due, (self._time, self._spawned, work))

    async def wait(self, seconds: float) -> None:
        """Waits of less than a second take no time, because time stamps have whole seconds."""
        await _Pause(seconds if seconds >= 1 else 0.0)

    def of(self, kind: str, namespace: str = "") -> Iterable[Obj]:
        found = self.world.of(kind)
        return [o for o in found if o["metadata"]["namespace"] == namespace] if namespace else found

    def lookup(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self.world.get(kind, namespace, name)

    def create(self, obj: Obj, *managers: FieldManager) -> Obj:
        return self.world.add(obj, *managers)

    def update(self, obj: Obj, change: Callable[[Obj], None], by: str = "") -> Obj | None:
        if (now := self.present(obj)) is None:
            return None
        change(now)
        if now["kind"] == "Pod" and not is_active(now):
            self.world.placed = None  # This row still counts it, the next one does not.
        if by:
            self.world.wrote_status(now, by, self._time)
        return now

    def remove(self, obj: Obj) -> None:
        self.world.remove(obj)
        self._placed = None

    def record(self, obj: Obj, reason: str, message: str, **more: str) -> None:
        self.world.event(obj, reason, message, self._time, None, 1, **more)

    def suffix(self, *words: object, size: int = 5) -> str:
        what, *rest = words
        if what == "template":  # The author's fields decide the name of a revision.
            rest = [*rest[:-1], self.template, ""]
        if what == "pod":
            rest.append(len(self.world.by_kind.get("Pod", {})))
        return stable_suffix(what, self.world.seed, *rest, size=size)

    def draw(self, pod: Obj, node: str) -> str:
        """Each revision of a workload draws the same number, so that it lands on the same nodes."""
        key = f"{self._data.get('namespace')}/{self._data.get('name')}/{self.salt}"
        if (key, node) not in self._draws:
            self._draws[key, node] = digest("place", self.world.seed, key, node)
        return self._draws[key, node]

    def placed(self) -> list[tuple[str, str]]:
        if self._placed is None:
            if self.world.placed is None:
                self.world.placed = super().placed()
            self._placed = self.world.placed
        return self._placed

    # --- what the row decides

    def creation_delay(self, owner: Obj, number: int) -> float:
        """`podAges` says when each pod was created; otherwise they are staggered, and those of a
        DaemonSet come with their node."""
        kind, ages = owner["kind"], self._data.get("podAges", [])
        if kind == "DaemonSet":
            joined = created_at(self.world.nodes()[number])
            due = max(self._time, joined) + timedelta(seconds=2)
        elif number < len(ages):
            due = self.world.ago(ages[number])
        else:
            due = self._time + timedelta(seconds=_STAGGER[kind] if number else 0)
        return max(0.0, (min(due, self.world.now) - self._time).total_seconds())

    def start_seconds(self, pod: Obj) -> tuple[float, float]:
        """A pod created before the drill begins is running when it begins."""
        meta = pod["metadata"]
        took = 3 + 9 * stable_fraction("start", meta["namespace"], meta["name"])
        begun = min(created_at(pod) + timedelta(seconds=took), self.world.now)
        ready = min(begun + timedelta(seconds=_READY_SECONDS), self.world.now)
        return max(0.0, (begun - self._time).total_seconds()), (ready - begun).total_seconds()

    def run_seconds(self, pod: Obj) -> float | None:
        refs = pod["metadata"].get("ownerReferences") or [{}]
        hangs = self.hanging_since is not None and created_at(pod) >= self.hanging_since
        return (
            None if refs[0].get("kind") != "Job" or hangs else float(self._data.get("seconds", 20))
        )

    def admits_pods(self, owner: Obj) -> bool:
        return not self._data.get("noPods")

    def pinned(self, owner: Obj, number: int) -> str:
        nodes: Any = self._data.get("nodes") or [""]
        return str(nodes if isinstance(nodes, str) else nodes[number % len(nodes)])

    def allows(self, node: Obj, pod: Obj) -> bool:
        """Fresh nodes take only pods that name them."""
        in_zone = zone_of(node).endswith(str(self._data.get("zone", "")))
        name = node["metadata"]["name"]
        return in_zone and name not in {*self.world.fresh, *self._data.get("notNodes", [])}

    def bound(self, pod: Obj, node: str) -> None:
        """A node can have replaced an older one: pods older than their node were created again when
        it joined."""
        meta, joined = pod["metadata"], created_at(self.world.objects[("Node", "", node)])
        if created_at(pod) < joined + timedelta(seconds=40):
            name, namespace = meta["name"], meta["namespace"]
            late = 70 + int(100 * stable_fraction("late", namespace, name))
            if (meta.get("ownerReferences") or [{}])[0].get("kind") == "DaemonSet":
                late = 45
            self._time = min(joined + timedelta(seconds=late), self.world.now)
            meta["creationTimestamp"] = created = rfc3339(self._time)
            meta["uid"] = stable_uid(self.world.seed, "Pod", namespace, name, created)
            self.world.managers[self.world.key(pod)] = [
                FieldManager("kube-controller-manager", self._time, ("metadata", "spec"))
            ]
        if self._placed is not None:
            uid = (meta.get("ownerReferences") or [{}])[0].get("uid", "")
            self._placed.append((node, uid))
