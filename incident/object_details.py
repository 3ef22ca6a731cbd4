"""One object in full and its logs, for the object screens: cleaned, redacted, bounded, and a
sentence where it cannot be had."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

import yaml

from cluster.api.logs import CAP, LogLine, follow_logs, read_logs
from cluster.api.reads import get_object, object_path
from cluster.errors import ClusterError
from cluster.kube.decode import LAST_APPLIED
from cluster.kube.kinds import READABLE, Kind
from cluster.kube.managed_fields import key_names
from cluster.kube.objects import Ref
from incident.record import Record

if TYPE_CHECKING:
    from cluster.api.transport import Api

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Nothing else is accepted: a server that cannot send metadata only answers 406, and no value
leaves it."""


class ObjectDetails:
    def __init__(
        self, api: Callable[[], Api | None], record: Callable[[], Record], limit: float
    ) -> None:
        """`limit`: seconds for the answer of one request."""
        self._api = api
        self._record = record
        self._limit = limit

    async def yaml(self, ref: Ref) -> str:
        """The object as YAML without managedFields; of a Secret or ConfigMap the metadata and the
        names of its keys."""
        api, kind = self._api(), READABLE.get(ref.kind)
        if api is None:
            return f"# {ref} cannot be read: there is no connection to a cluster"
        if kind is None:
            return (
                f"# {ref} cannot be read: stanch does not know the kind; try kubectl get "
                f"{ref.kind} {ref.name} -o yaml"
            )
        try:
            if kind.metadata_only:
                text = await self._metadata(api, kind, ref)
            else:
                limit = self._limit
                text = _dump(await get_object(api, kind, ref.namespace, ref.name, timeout=limit))
        except ClusterError as error:
            return f"# {ref} cannot be read: {error}"
        return self._record().redact(text)

    async def _metadata(self, api: Api, kind: Kind, ref: Ref) -> str:
        path, what = object_path(kind, ref.namespace, ref.name), f"get {ref}"
        found = await api.get_json(path, timeout=self._limit, accept=PARTIAL, what=what)
        metadata = found.get("metadata", {})
        managers = metadata.pop("managedFields", None) or ()
        keys = sorted(key_names(each.get("fieldsV1") or {} for each in managers))
        metadata.get("annotations", {}).pop(LAST_APPLIED, None)
        document = {"apiVersion": kind.api_version, "kind": ref.kind, "metadata": metadata}
        known = ", ".join(keys) or "none known"
        return f"{_dump(document)}# keys (names only, values are never read): {known}\n"

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str = "",
        *,
        previous: bool = False,
        tail: int = 500,
    ) -> AsyncGenerator[str, None]:
        """Lines of a container's log, oldest first, and then those that are written while one
        reads; of the run before, what there is.

        The last line is a sentence when they could not be read.
        """
        api = self._api()
        if api is None:
            yield "logs cannot be read: there is no connection to a cluster"
            return
        redact = self._record().redact
        try:
            if previous:
                kept = await read_logs(
                    api, namespace, pod, container, tail=tail, previous=True, timeout=self._limit
                )
                for each in kept.lines:
                    yield redact(_log_line(each))
                if kept.truncated:
                    yield f"(cut: only the first {CAP >> 20} MiB were read)"
                return
            async with contextlib.aclosing(
                follow_logs(api, namespace, pod, container, tail=tail)
            ) as groups:
                async for group in groups:
                    for each in group:
                        yield redact(_log_line(each))
        except ClusterError as error:
            yield f"logs cannot be read: {error}"


def _log_line(line: LogLine) -> str:
    return (
        f"{line.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{line.time.microsecond // 1000:03d}Z "
        f"{line.text}"
        if line.time
        else line.text
    )


def _dump(document: Mapping[str, Any]) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
