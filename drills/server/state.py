"""The state of a running drill, without the HTTP server: handlers, evictions and the script
use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from aiohttp import web

from drills.api.kinds import KindTable
from drills.api.objects import Obj, zone_of
from drills.api.store import ObjectStore
from drills.api.watch import Subscription
from drills.api.writes import Writes
from drills.controllers.live import LiveContext
from drills.pods.connectivity import Network
from drills.pods.statistics import Measurements
from drills.pods.surroundings import PodEnvironment
from drills.scenario.world import World
from drills.server.faults import Faults


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class OpenStreams:
    """Requests with a continuing response: watches, followed logs, execs, port-forwards."""

    subscriptions: set[Subscription] = field(default_factory=set)
    requests: dict[int, web.Request] = field(default_factory=dict)

    def cut(self) -> None:
        """Break every connection."""
        for request in list(self.requests.values()):
            if request.transport is not None:
                request.transport.abort()

    def expire(self) -> None:
        """End every watch with a 410 ERROR event."""
        for subscription in list(self.subscriptions):
            subscription.expire()


class ServerState:
    """`speed` shortens script steps, pod starts and probe pauses (2.0: twice as fast); time stamps
    always come from `clock`, which returns an aware datetime. `requests` counts (verb, resource,
    code)."""

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
        bookmark_seconds: float = 20.0,
    ) -> None:
        self.speed, self.clock, self.bookmark_seconds = max(speed, 0.001), clock, bookmark_seconds
        self.kinds = KindTable()
        self.store = ObjectStore(self.kinds)
        self.faults = Faults()
        self.random = Random(seed)  # noqa: S311  # names of pods
        self.writes = Writes(self.store, clock, self.random)
        self.context = LiveContext(self.store, clock, self.random, self.speed)
        self.streams = OpenStreams()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.started_at = clock()
        self.world = World(now=self.started_at)

    def load(self, world: World) -> None:
        """Load the expanded objects."""
        self.world, self.started_at = world, world.now
        self.context.pullable, self.context.next_ip = world.pullable, world.next_ip
        for definition in world.of("CustomResourceDefinition"):
            self.kinds.add_definition(definition)
        self.store.load(world.sorted_objects())
        self.faults.clear()
        for row in world.surroundings.faults:
            self.faults.add_mapping(row)

    @property
    def surroundings(self) -> PodEnvironment:
        return self.world.surroundings

    def expire_watches(self) -> None:
        """Compact the history and end every open watch with a 410 ERROR event."""
        self.store.compact()
        self.streams.expire()

    def node(self, name: str) -> Obj | None:
        return self.store.lookup("Node", "", name)

    def zone_of(self, node: str) -> str:
        return zone_of(self.node(node))

    def network(self) -> Network:
        return Network(self.store.of, self.surroundings)

    def measurements(self) -> Measurements:
        return Measurements(self.surroundings, self.clock(), self.zone_of)
