"""What controllers and kubelets use: objects, a clock, background tasks and generated names.

They run on a served cluster (`live`) and on simulated time (`drills.scenario.simulation`) alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, controller_of, dig, holds, is_active

CONTROLLER = "kube-controller-manager"
Work = Coroutine[Any, Any, None]


class ControllerContext(ABC):
    """`pullable`: new images can be pulled. `next_ip`: the next host number of each node's pod
    range."""

    pullable: bool
    next_ip: dict[str, int]

    # --- objects

    @abstractmethod
    def now(self) -> datetime:
        """The current time, aware."""

    @abstractmethod
    def of(self, kind: str, namespace: str = "") -> Iterable[Obj]:
        """The objects of a kind, of one namespace where it is given."""

    @abstractmethod
    def lookup(self, kind: str, namespace: str, name: str) -> Obj | None:
        """An object by name."""

    @abstractmethod
    def create(self, obj: Obj, *managers: FieldManager) -> Obj:
        """Store a new object with a uid. `managers` wrote it."""

    @abstractmethod
    def update(self, obj: Obj, change: Callable[[Obj], None], by: str = "") -> Obj | None:
        """Apply a change to the stored object; None when it is gone or another object has its name.
        `by` wrote the status."""

    @abstractmethod
    def remove(self, obj: Obj) -> None:
        """Remove an object."""

    @abstractmethod
    def record(self, obj: Obj, reason: str, message: str, **more: str) -> None:
        """An event about an object, stamped now. `more`: kind (Normal, Warning), component,
        container."""

    # --- time and chance

    @abstractmethod
    def spawn(self, work: Work) -> None:
        """Run a task in the background."""

    @abstractmethod
    async def wait(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    def suffix(self, *words: object, size: int = 5) -> str:
        """The tail of a generated name for what `words` describe."""

    @abstractmethod
    def draw(self, pod: Obj, node: str) -> str:
        """A number that decides between nodes that fit a pod equally well: the smallest wins."""

    # --- what a scenario decides; on a served cluster these have one answer

    def creation_delay(self, owner: Obj, number: int) -> float:
        """Seconds until the controller makes its pod of this number."""
        return 0.0

    def start_seconds(self, pod: Obj) -> tuple[float, float]:
        """Seconds until the containers run, and from then until they are ready."""
        return 0.2, 0.0

    def run_seconds(self, pod: Obj) -> float | None:
        """How long the containers run before they end well; None for those that go on."""
        first = pod["spec"]["containers"][0]
        command = " ".join([*(first.get("command") or []), *(first.get("args") or [])])
        return 0.0 if command in {"true", "/bin/true"} or command.startswith("echo ") else None

    def admits_pods(self, owner: Obj) -> bool:
        """Whether the API server lets the controller create pods."""
        return True

    def pinned(self, owner: Obj, number: int) -> str:
        """The node to which a controller's pod of this number is bound at its start, if any."""
        return ""

    def allows(self, node: Obj, pod: Obj) -> bool:
        """Whether a pod may run on a node, apart from its spec."""
        return True

    def bound(self, pod: Obj, node: str) -> None:  # noqa: B027  # a served cluster needs nothing
        """Called when a pod was bound to a node."""

    # --- common questions

    def present(self, obj: Obj) -> Obj | None:
        """The stored state of an object; None when it is gone or another has its name."""
        meta = obj["metadata"]
        now = self.lookup(obj["kind"], meta.get("namespace", ""), meta["name"])
        return now if now and now["metadata"]["uid"] == meta["uid"] else None

    def placed(self) -> list[tuple[str, str]]:
        """(node, uid of the controller) of every pod that takes up room on a node."""
        return [
            (str(node), str((controller_of(pod) or {}).get("uid", "")))
            for pod in self.of("Pod")
            if (node := dig(pod, "spec", "nodeName")) and is_active(pod)
        ]

    def node_works(self, name: str) -> bool:
        """Whether a kubelet runs there: the node is Ready and has addresses for pods (one that a
        client wrote has none)."""
        node = self.lookup("Node", "", name)
        return bool(dig(node, "spec", "podCIDR")) and holds(node, "Ready")
