"""One object in full and its logs, for the object screens: cleaned, redacted, bounded, and a
sentence where it cannot be had."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any

import yaml

from cluster.api.logs import CAP, LogLine, follow_logs, read_logs
from cluster.errors import ClusterError
from cluster.kube.kinds import READABLE
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
        accept = PARTIAL if kind.metadata_only else "application/json"
        try:
            found = await api.get_json(
                f"{kind.path(ref.namespace)}/{ref.name}",
                timeout=self._limit,
                accept=accept,
                what=f"get {ref}",
            )
        except ClusterError as error:
            return f"# {ref} cannot be read: {error}"
        document: dict[str, Any] = found
        keys: list[str] = []
        metadata = document.get("metadata", {})
        if kind.metadata_only:
            managers = metadata.get("managedFields") or ()
            keys = sorted(key_names(each.get("fieldsV1") or {} for each in managers))
            document = {"apiVersion": kind.api_version, "kind": ref.kind, "metadata": metadata}
        metadata.pop("managedFields", None)
        metadata.get("annotations", {}).pop(
            "kubectl.kubernetes.io/last-applied-configuration", None
        )
        text = str(
            yaml.dump(document, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120)
        )
        if kind.metadata_only:
            text += (
                f"# keys (names only, values are never read): {', '.join(keys) or 'none known'}\n"
            )
        return self._record().redact(text)

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


def _dumper() -> type[yaml.SafeDumper]:
    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)
