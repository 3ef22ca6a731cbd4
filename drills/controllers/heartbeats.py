"""What an undisturbed cluster does: leases and heartbeats, counts and endpoints that follow the
pods, warnings that repeat while their cause lasts, Events that expire."""

from __future__ import annotations

import asyncio
import copy
from datetime import datetime, timedelta

from drills.api.objects import Obj, condition, dig, parse_time, reports, rfc3339, rfc3339_micro
from drills.controllers.events import TTL
from drills.controllers.live import LiveContext
from drills.controllers.quotas import Quotas
from drills.controllers.status_sync import status_updates

_LEASE = timedelta(seconds=10)
"""How often a lease is renewed."""
_AWAY = timedelta(minutes=1)
"""A lease that is older than this at the start has a holder that is away."""
_NODE_STATUS = timedelta(minutes=5)
"""How often a kubelet writes its status without a change."""
_REPEAT = timedelta(minutes=1)
"""How often a warning is repeated while its cause lasts."""


class Heartbeats:
    """A test clears `moving` for a cluster in which nothing moves."""

    def __init__(self, context: LiveContext) -> None:
        self._context, self._store = context, context.store
        self.moving = True
        self._away: dict[str, datetime] = {}
        """Leases whose holder is away, with the time of their last renewal."""
        self._quotas = Quotas()

    def start(self) -> None:
        now = self._context.now()
        for lease in self._store.of("Lease"):
            renewed = dig(lease, "spec", "renewTime")
            if renewed and now - parse_time(renewed) > _AWAY:
                self._away[lease["metadata"]["name"]] = parse_time(renewed)
        list(self._quotas.status_updates(self._store.of))  # what is used now
        self._context.spawn(self._sync_forever())
        self._context.spawn(self._beat_forever())

    async def _sync_forever(self) -> None:
        while True:
            await self._context.dirty.wait()
            await asyncio.sleep(0.05)
            self._context.dirty.clear()
            updates = status_updates(self._store.of, self._context.now())
            for obj, fields in (*updates, *self._quotas.status_updates(self._store.of)):
                self._store.save(copy.deepcopy({**obj, **fields}))

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.moving:
                now = self._context.now()
                self._renew_leases(now)
                self._report_nodes(now)
                self._repeat_events(now)

    def _renew_leases(self, now: datetime) -> None:
        for lease in self._store.of("Lease"):
            meta, renewed = lease["metadata"], dig(lease, "spec", "renewTime")
            of_node = meta["namespace"] == "kube-node-lease"
            silent = (
                not reports(self._store.lookup("Node", "", meta["name"]))
                if of_node
                else self._is_away(meta["name"], renewed)
            )
            if renewed and not silent and now - parse_time(renewed) >= _LEASE:
                spec = {**lease["spec"], "renewTime": rfc3339_micro(now)}
                self._store.save({**lease, "metadata": dict(meta), "spec": spec})

    def _is_away(self, component: str, renewed: str | None) -> bool:
        """Whether a holder that was away at the start neither renewed its lease since nor has a
        Ready pod that started since."""
        last = self._away.get(component)
        if last is None or (renewed and parse_time(renewed) > last):
            return False
        return not any(
            dig(condition(pod, "Ready"), "status") == "True"
            and any(
                parse_time(began) > last
                for status in dig(pod, "status", "containerStatuses", default=[])
                if (began := dig(status, "state", "running", "startedAt"))
            )
            for pod in self._store.of("Pod")
            if dig(pod, "metadata", "labels", "component") == component
        )

    def _report_nodes(self, now: datetime) -> None:
        for node in self._store.of("Node"):
            beat = dig(condition(node, "Ready"), "lastHeartbeatTime")
            if not beat or not reports(node) or not dig(node, "spec", "podCIDR"):
                continue
            if now - parse_time(beat) >= _NODE_STATUS:
                node = copy.deepcopy(node)
                for c in node["status"]["conditions"]:
                    c["lastHeartbeatTime"] = rfc3339(now)
                self._store.save(node)

    def _repeat_events(self, now: datetime) -> None:
        kind = self._store.kinds.named("Event")
        for event in self._store.of("Event"):
            meta, last = event["metadata"], dig(event, "series", "lastObservedTime")
            stamp = last or event.get("lastTimestamp") or event.get("eventTime")
            if not stamp:
                continue
            age = now - parse_time(stamp)
            if age > TTL:
                self._store.remove(kind, meta["namespace"], meta["name"])
            elif self._goes_on(event, age):
                count = {"count": int(event["count"]) + 1, "lastTimestamp": rfc3339(now)}
                self._store.save({**event, "metadata": dict(meta), **count})

    def _goes_on(self, event: Obj, age: timedelta) -> bool:
        """Whether a repeated warning goes on: it is about a pod that is not ready yet."""
        about, repeated = event["involvedObject"], int(event.get("count") or 0) >= 2
        if event.get("type") != "Warning" or not repeated or about["kind"] != "Pod":
            return False
        pod = self._store.lookup("Pod", about.get("namespace", ""), about["name"])
        ready = dig(condition(pod, "Ready"), "status", default="True")
        return _REPEAT <= age < 3 * _REPEAT and ready != "True"
