"""Fetches the input of a check, and says when it cannot: what could not be read is unknown, never a
pass.

Asks the API first, because a check needs the current state. When it does not answer, the last known
rows are used and the answer gives their age. Secrets and ConfigMaps are read as metadata only.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.api.transport import PARTIAL_LIST
from cluster.errors import ClusterError, NotFound, ServerError
from cluster.kube.kinds import BY_SPELLING, NEVER_WHOLE, READABLE, Kind
from cluster.kube.prometheus import MetricSample, increases, samples
from cluster.kube.selectors import fields_match, selector_text, text_matches
from cluster.live.store import Store
from incident.metrics.usage import metrics_containers
from runbooks.check import CheckOutcome, Result, evaluate
from runbooks.model import CheckSource, Query
from runbooks.parameters import PLACE

if TYPE_CHECKING:
    from cluster.api.transport import Api

LIMIT = 5_000
"""Most objects read for one check; more would burden the server without changing the answer."""
NO_CONNECTION = "there is no connection"
METRICS_API = "/apis/metrics.k8s.io/"
"""Serves JSON, not the text format of Prometheus."""
LOG_PODS = 20
"""Most pods whose logs one check reads."""
LOG_LINES = 500


@dataclass(frozen=True, slots=True)
class Fetched:
    """Objects that were read, or why not. `remark` names the source when the data is not
    current. `partly`: not all were read, so that a pass is unknown."""

    objects: Sequence[Mapping[str, Any]] | None
    remark: str = ""
    partly: bool = False


class Checks:
    """Runs checks against one cluster."""

    def __init__(
        self,
        api: Api | None,
        store: Store,
        clock: Callable[[], datetime],
        heard: Callable[[str], datetime | None],
        limit: float,
    ) -> None:
        """`heard` returns when a kind was last updated. `limit`: seconds for one check."""
        self._api = api
        self._store = store
        self._clock = clock
        self._heard = heard
        self._limit = limit

    async def run(self, query: Query, params: Mapping[str, str]) -> CheckOutcome:
        """Fetch and evaluate. `query` has its placeholders filled in. Never raises because of the
        cluster."""
        fetched = await self.fetch(query)
        if fetched.objects is None:
            return CheckOutcome(Result.UNKNOWN, "", fetched.remark)
        outcome = await asyncio.to_thread(
            evaluate, query, fetched.objects, params, now=self._clock()
        )
        seen = f"{outcome.seen} ({fetched.remark})" if fetched.remark else outcome.seen
        passed_partly = fetched.partly and outcome.result is Result.PASS
        result = Result.UNKNOWN if passed_partly else outcome.result
        return replace(outcome, result=result, seen=seen, read=fetched.objects)

    async def fetch(self, query: Query) -> Fetched:
        if self._api is None and query.source not in (CheckSource.OBJECTS, CheckSource.COMPARE):
            return Fetched(None, NO_CONNECTION)
        if unknown := PLACE.findall(query.path + query.kind):
            return Fetched(None, f"the {unknown[0].replace('_', ' ')} is not known")
        try:
            async with asyncio.timeout(self._limit + query.interval):
                match query.source:
                    case CheckSource.OBJECTS | CheckSource.COMPARE:
                        return await self._objects(query)
                    case CheckSource.LOGS:
                        return await self._logs(query)
                    case CheckSource.METRICS:
                        return await self._metrics(query)
                    case CheckSource.READYZ:
                        return await self._readyz(query)
                    case CheckSource.DOCUMENT:
                        return await self._document(query)
                    case CheckSource.FINDINGS:
                        return Fetched(None, "findings are quoted, not read")
        except ClusterError as error:
            return Fetched(None, _not_served(query, error) or str(error))
        except TimeoutError:
            return Fetched(None, f"no complete answer within {self._limit + query.interval:g} s")

    # -- objects

    async def _objects(self, query: Query) -> Fetched:
        kind = READABLE.get(query.kind)
        if kind is None:
            return Fetched(None, f"kind {query.kind!r} is not one that stanch reads; use kubectl")
        if self._api is None:
            return self._last_known(query, kind, NO_CONNECTION)
        try:
            return Fetched(await self._list(kind, query))
        except ClusterError as error:
            if getattr(error, "status", 0) in (403, 404):
                raise
            return self._last_known(query, kind, str(error))

    async def _list(self, kind: Kind, query: Query) -> list[dict[str, Any]]:
        assert self._api is not None
        accept = PARTIAL_LIST if kind.name in NEVER_WHOLE else "application/json"
        params: dict[str, str | int | list[str]] = {"limit": 500}
        if query.selector:
            params["labelSelector"] = query.selector
        named = f"metadata.name={query.name}" if query.name else ""
        if fields := ",".join(filter(None, (query.field_selector, named))):
            params["fieldSelector"] = fields
        found: list[dict[str, Any]] = []
        while True:
            page = await self._api.get_json(
                kind.path(query.namespace),
                params,
                timeout=self._limit,
                accept=accept,
                what=f"list {kind.plural}{_in(query.namespace)}",
            )
            found += [{"kind": kind.name, **item} for item in page.get("items") or ()]
            token = (page.get("metadata") or {}).get("continue")
            if not token or len(found) > LIMIT:
                return found
            params["continue"] = token

    def _last_known(self, query: Query, kind: Kind, why: str) -> Fetched:
        heard = self._heard(kind.name)
        if heard is None or (kind.metadata_only and kind.name not in NEVER_WHOLE):
            return Fetched(None, why)  # a check may need more of it than was watched
        store, where = self._store, query.namespace
        rows = store.in_namespace(kind.name, where) if where else store.rows(kind.name)
        wanted = [row for (_, name), row in rows.items() if not query.name or name == query.name]
        objects = [msgspec.to_builtins(row, builtin_types=()) for row in wanted]
        try:
            objects = [
                item
                for item in objects
                if text_matches(query.selector, item.get("metadata", {}).get("labels", {}))
                and fields_match(query.field_selector, item)
            ]
        except ValueError as error:
            return Fetched(None, f"{error}; {why}")
        return Fetched(objects, f"last known state of {heard:%H:%M:%S} UTC: {why}")

    # -- logs, metrics, readyz

    async def _logs(self, query: Query) -> Fetched:
        """Logs of a pod, of the pods of a workload (`deployment/web`) or of those with labels."""
        if "/" in query.name:
            word, _, name = query.name.partition("/")
            kind = BY_SPELLING.get(word)
            owner = self._store.get(kind.name, query.namespace, name) if kind else None
            selector = selector_text(getattr(getattr(owner, "spec", None), "selector", None))
            if not selector:
                return Fetched(None, f"{query.name}{_in(query.namespace)} is not known")
            query = msgspec.structs.replace(query, name="", selector=selector)
        pods = await self._list(READABLE["Pod"], query)
        if not pods:
            wanted = query.selector or query.name or "the check"
            return Fetched(None, f"no pod{_in(query.namespace)} matches {wanted}")
        found = []
        for pod in pods[:LOG_PODS]:
            meta, spec = pod.get("metadata", {}), pod.get("spec", {})
            own = [each["name"] for each in spec.get("containers", [])][:3]
            for container in [query.container] if query.container else own:
                params: dict[str, str | int | list[str]] = {
                    "container": container,
                    "tailLines": LOG_LINES,
                    "limitBytes": 256 * 1024,
                }
                if query.previous:
                    params["previous"] = "true"
                if query.since:
                    params["sinceSeconds"] = int(query.since)
                namespace, pod_name = meta.get("namespace", ""), meta.get("name", "")
                text = await self._text(
                    f"/api/v1/namespaces/{namespace}/pods/{pod_name}/log",
                    params,
                    what=f"logs of {namespace}/{pod_name}",
                )
                found.append(
                    {
                        "pod": pod_name,
                        "namespace": namespace,
                        "node": spec.get("nodeName", ""),
                        "container": container,
                        "lines": text.splitlines(),
                        "previous": query.previous,
                    }
                )
        more = len(pods) > LOG_PODS
        remark = f"only the first {LOG_PODS} of {len(pods)} pods were read"
        return Fetched(found, remark if more else "", partly=more)

    async def _text(
        self,
        path: str,
        params: Mapping[str, str | int | list[str]] | None = None,
        *,
        what: str,
        cap: int = 1 << 20,
        timeout: float = 0.0,
    ) -> str:
        assert self._api is not None
        text, _ = await self._api.get_text(
            path, params, timeout=timeout or self._limit, cap=cap, what=what
        )
        return text

    async def _metrics(self, query: Query) -> Fetched:
        path = query.path or "/metrics"
        first = await self._scrape(path, query.names)
        if not query.interval:
            return Fetched([_metric(sample, 0.0) for sample in first])
        await asyncio.sleep(query.interval)
        second = await self._scrape(path, query.names)
        compare = differences if path.startswith(METRICS_API) else increases
        grown = {(sample.name, sample.key): sample.value for sample in compare(first, second)}
        return Fetched(
            [_metric(sample, grown.get((sample.name, sample.key), 0.0)) for sample in second]
        )

    async def _scrape(self, path: str, names: Sequence[str]) -> list[MetricSample]:
        if path.startswith(METRICS_API):
            assert self._api is not None
            usage = await self._api.get_json(path, {}, timeout=self._limit, what="metrics of pods")
            return [each for each in usage_samples(usage) if each.name in names]
        page = await self._text(path, cap=32 << 20, what=f"metrics {path}")
        return list(samples(page, names))

    async def _readyz(self, query: Query) -> Fetched:
        path = query.path or "/readyz"
        try:
            text = await self._text(path, {"verbose": "1"}, timeout=5.0, what=f"{path}?verbose")
        except ClusterError as error:
            # A failing readyz is an error whose text lists the checks in one line.
            text = getattr(error, "detail", "") or str(error)
        found = readyz_checks(text)
        if not found:
            return Fetched(None, f"{path} gave no list of checks: {text[:200]}")
        return Fetched(found)

    async def _document(self, query: Query) -> Fetched:
        assert self._api is not None
        if not _PROXIED.fullmatch(query.path) or ".." in query.path:
            return Fetched(None, "a document is read through the proxy of a node, pod or Service")
        what = f"read {query.path}"
        return Fetched([await self._api.get_json(query.path, {}, timeout=self._limit, what=what)])


def readyz_checks(text: str) -> list[dict[str, Any]]:
    """The checks in an answer of `/readyz?verbose`, one a line or all in one line:
    `[-]informer-sync failed: reason withheld`."""
    return [
        {"name": match[2], "ok": match[1] == "+", "reason": match[3].strip()}
        for match in _READYZ_CHECK.finditer(text)
    ]


def usage_samples(usage: Mapping[str, Any]) -> Iterator[MetricSample]:
    """A PodMetricsList of metrics.k8s.io as samples of each container: `pod_cpu_cores` and
    `pod_memory_bytes`."""
    items = usage.get("items")
    for item in items if isinstance(items, list) else ():
        for row in metrics_containers(item) if isinstance(item, dict) else ():
            labels = {"namespace": row.pod.namespace, "pod": row.pod.name}
            labels["container"] = row.container
            key = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
            if row.cpu_cores is not None:
                yield MetricSample("pod_cpu_cores", key, row.cpu_cores)
            if row.memory_bytes is not None:
                yield MetricSample("pod_memory_bytes", key, float(row.memory_bytes))


def differences(
    first: Iterable[MetricSample], second: Iterable[MetricSample]
) -> Iterator[MetricSample]:
    """How gauges changed; unlike counters they may fall."""
    before = {(each.name, each.key): each.value for each in first}
    for each in second:
        if (known := before.get((each.name, each.key))) is not None:
            yield MetricSample(each.name, each.key, each.value - known)


def _not_served(query: Query, error: ClusterError) -> str:
    """What 404 means for the input of a check, and 503 for metrics, which metrics-server serves; ""
    when the error says it."""
    absent = isinstance(error, NotFound)
    if query.source is CheckSource.METRICS and query.path.startswith(METRICS_API):
        if absent:
            return "metrics are not served here (no metrics-server)"
        if isinstance(error, ServerError):
            return f"metrics-server does not answer (HTTP {error.status}: {error.detail})"
    kind = READABLE.get(query.kind)
    listed = query.source in (CheckSource.OBJECTS, CheckSource.COMPARE)
    if absent and listed and kind is not None:
        return f"this cluster does not serve {kind.plural} ({kind.api_version})"
    return ""


_PROXIED = re.compile(
    r"/api/v1/(?:nodes/[\w.:-]+|namespaces/[\w-]+/(?:pods|services)/[\w.:-]+)/proxy/[\w./-]+"
)
"""Paths from which a document may be read. None of them returns a Secret or ConfigMap."""
_READYZ_CHECK = re.compile(r"\[([+-])\](\S+)([^\[\n]*)")


def _metric(sample: MetricSample, delta: float) -> dict[str, Any]:
    return {
        "name": sample.name,
        "labels": dict(sample.labels),
        "value": sample.value,
        "delta": delta,
    }


def _in(namespace: str) -> str:
    return f" in namespace {namespace}" if namespace else ""
