"""What goes on in a cluster without anybody's doing: leases and heartbeats, counts and endpoints
that follow the pods, warnings that repeat while their cause lasts, events that expire."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable
from datetime import datetime, timedelta

from drills.api.objects import Obj, condition, dig, parse_time, rfc3339, rfc3339_micro
from drills.controllers.context import Backstage
from drills.controllers.status_sync import settle

_LEASE_SECONDS, _HEARTBEAT_SECONDS, _REPEAT_SECONDS = 10.0, 300.0, 60.0
_EVENT_LIFE = timedelta(hours=1)


class Pulse:
    """`keep_leases` may be cleared by a test that wants a cluster in which nothing moves."""

    def __init__(self, stage: Backstage) -> None:
        self._stage = stage
        self.keep_leases = True

    def start(self) -> None:
        self._stage.spawn(self._settle_forever())
        self._stage.spawn(self._beat_forever())

    async def _settle_forever(self) -> None:
        while True:
            await self._stage.dirty.wait()
            await asyncio.sleep(0.05)
            self._stage.dirty.clear()
            for obj, fields in settle(self._of, self._stage.now()):
                self._stage.store.put(
                    self._stage.kind(obj["apiVersion"], obj["kind"]),
                    copy.deepcopy({**obj, **fields}),
                )

    def _of(self, name: str) -> Iterable[Obj]:
        kind = next(k for k in self._stage.kinds if k.kind == name and k.group != "events.k8s.io")
        return [e.obj for e in self._stage.store.entries(kind)]

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.keep_leases:
                now = self._stage.now()
                self._renew_leases(now)
                self._report_nodes(now)
                self._repeat_events(now)

    def _renew_leases(self, now: datetime) -> None:
        kind = self._stage.kind("coordination.k8s.io/v1", "Lease")
        for entry in self._stage.store.entries(kind):
            lease = entry.obj
            if lease["metadata"]["namespace"] == "kube-node-lease" and not self._reports(
                lease["metadata"]["name"]
            ):
                continue
            renewed = dig(lease, "spec", "renewTime")
            if renewed and (now - parse_time(renewed)).total_seconds() >= _LEASE_SECONDS:
                self._stage.store.put(
                    kind,
                    {
                        **lease,
                        "metadata": dict(lease["metadata"]),
                        "spec": {**lease["spec"], "renewTime": rfc3339_micro(now)},
                    },
                )

    def _reports(self, node: str) -> bool:
        entry = self._stage.store.find(self._stage.kind("v1", "Node"), "", node)
        ready = condition(entry.obj, "Ready") if entry else None
        return ready is not None and ready["status"] != "Unknown"

    def _report_nodes(self, now: datetime) -> None:
        """A kubelet writes its status every five minutes, also when nothing changed."""
        kind = self._stage.kind("v1", "Node")
        for entry in self._stage.store.entries(kind):
            ready = condition(entry.obj, "Ready")
            beat = ready.get("lastHeartbeatTime") if ready else None
            if (
                not ready
                or not beat
                or ready["status"] == "Unknown"
                or not dig(entry.obj, "spec", "podCIDR")
            ):
                continue
            if (now - parse_time(beat)).total_seconds() >= _HEARTBEAT_SECONDS:
                node = copy.deepcopy(entry.obj)
                for c in node["status"]["conditions"]:
                    c["lastHeartbeatTime"] = rfc3339(now)
                self._stage.store.put(kind, node)

    def _repeat_events(self, now: datetime) -> None:
        kind = self._stage.kind("v1", "Event")
        for entry in self._stage.store.entries(kind):
            event = entry.obj
            stamp = (
                dig(event, "series", "lastObservedTime")
                or event.get("lastTimestamp")
                or event.get("eventTime")
            )
            if not stamp:
                continue
            age = now - parse_time(stamp)
            if age > _EVENT_LIFE:
                self._stage.store.remove(
                    kind, event["metadata"]["namespace"], event["metadata"]["name"]
                )
            elif self._goes_on(event, age):
                self._stage.store.put(
                    kind,
                    {
                        **event,
                        "metadata": dict(event["metadata"]),
                        "count": int(event["count"]) + 1,
                        "lastTimestamp": rfc3339(now),
                    },
                )

    def _goes_on(self, event: Obj, age: timedelta) -> bool:
        """A warning that has come again and again, about a pod that is not ready yet, comes once
        more a minute later."""
        if (
            event.get("type") != "Warning"
            or int(event.get("count") or 0) < 2
            or not (_REPEAT_SECONDS <= age.total_seconds() < 3 * _REPEAT_SECONDS)
        ):
            return False
        about = event["involvedObject"]
        if about["kind"] != "Pod":
            return False
        pod = self._stage.store.find(
            self._stage.kind("v1", "Pod"), about.get("namespace", ""), about["name"]
        )
        ready = condition(pod.obj, "Ready") if pod else None
        return ready is not None and ready["status"] != "True"
