"""Reads what the metadata of CustomResourceDefinitions does not say: conditions, and the Service of
a conversion webhook. The watch carries metadata alone, because the schemas are megabytes.

Reads those that changed within a day and those with a conversion webhook: each version once, twelve
definitions at a time. A report never waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from cluster.api.reads import object_path
from cluster.errors import ClusterError
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME
from cluster.kube.managed_fields import subtree
from cluster.kube.objects import Condition, Object, PartialObject, Ref, ServiceReference, Wire
from cluster.live.live_cluster import LiveCluster
from triage.facts.measurements import Definition, Sample

CRD = "CustomResourceDefinition"
AT_ONCE = 12
"""Definitions that are read at the same time."""
TIMEOUT = 5.0
"""Seconds for one of them."""
CHANGED = timedelta(days=1)
"""Age of a change after which a definition without a webhook is not read."""
_WEBHOOK = ("f:spec", "f:conversion", "f:webhook")


class _ClientConfig(Wire, frozen=True):
    service: ServiceReference | None = None


class _Webhook(Wire, frozen=True):
    client_config: _ClientConfig = _ClientConfig()


class _Conversion(Wire, frozen=True):
    webhook: _Webhook = _Webhook()


class _Names(Wire, frozen=True):
    kind: str = ""


class _Spec(Wire, frozen=True):
    names: _Names = _Names()
    conversion: _Conversion = _Conversion()


class _Status(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()


class _Full(Object, frozen=True):
    spec: _Spec = _Spec()
    status: _Status = _Status()


class DefinitionsReader:
    """The CustomResourceDefinitions read so far."""

    def __init__(self, live: LiveCluster, clock: Callable[[], datetime]) -> None:
        self._live, self._clock = live, clock
        self._versions: dict[str, str] = {}
        """The version that was looked at, by name."""
        self._known: dict[str, Definition] = {}
        self._at = clock()
        self._decoder = KindDecoder(replace(BY_NAME[CRD], type=_Full))

    @property
    def sample(self) -> Sample[Definition] | None:
        """Those that are known; None while nothing was read."""
        values = tuple(self._known[name] for name in sorted(self._known))
        return Sample(self._at, 0.0, values) if values else None

    def unread(self) -> tuple[PartialObject, ...]:
        """The definitions to read now, at most a dozen."""
        found: list[PartialObject] = []
        now = self._clock()
        for row in self._live.store.rows(CRD).values():
            name, version = row.metadata.name, row.metadata.resource_version
            if self._versions.get(name) == version or not isinstance(row, PartialObject):
                continue
            if len(found) == AT_ONCE:
                break
            self._versions[name] = version
            if _converts(row) or now - _changed(row, now) <= CHANGED:
                found.append(row)
            else:
                self._known.pop(name, None)
        return tuple(found)

    async def read(self, rows: tuple[PartialObject, ...]) -> bool:
        """Read these; returns whether something new is known. Never raises because of the
        cluster."""
        before = dict(self._known)
        found = await asyncio.gather(*(self._one(row.metadata.name) for row in rows))
        self._known |= {one.name: one for one in found if one is not None}
        self._at = self._clock()
        return before != self._known

    async def _one(self, name: str) -> Definition | None:
        path = object_path(BY_NAME[CRD], "", name)
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._live.api.open(path, read=TIMEOUT, compress=True) as answer,
            ):
                body, cut = await answer.read()
        except (ClusterError, TimeoutError):
            return None
        full = await asyncio.to_thread(self._decoder.one, body) if not cut else None
        if not isinstance(full, _Full):
            return None
        service = full.spec.conversion.webhook.client_config.service
        return Definition(
            name,
            full.spec.names.kind,
            full.status.conditions,
            Ref("Service", service.namespace, service.name) if service is not None else None,
        )


def _converts(row: PartialObject) -> bool:
    return any(subtree(f.fields_v1, *_WEBHOOK) is not None for f in row.metadata.managed_fields)


def _changed(row: PartialObject, now: datetime) -> datetime:
    """Time of the last change in its managedFields, else its creation; `now` without both."""
    times = [f.time for f in row.metadata.managed_fields if f.time is not None]
    return max(times, default=row.metadata.creation_timestamp or now)
