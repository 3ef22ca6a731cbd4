"""The API server's health pages: /readyz, /livez, /healthz and /metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drills.api.objects import parse_duration, words

CHECKS = words(
    "ping log etcd etcd-readiness informer-sync "
    "poststarthook/start-apiserver-admission-initializer "
    "poststarthook/generic-apiserver-start-informers "
    "poststarthook/priority-and-fairness-config-consumer poststarthook/rbac/bootstrap-roles "
    "poststarthook/bootstrap-controller poststarthook/aggregator-reload-proxy-client-cert "
    "poststarthook/apiservice-status-available-controller autoregister-completion shutdown"
)
_ONLY_READY = frozenset({"etcd-readiness", "informer-sync", "shutdown"})


def check(
    endpoint: str,
    health: dict[str, Any],
    *,
    verbose: bool,
    only: str = "",
    excluded: Iterable[str] = (),
) -> tuple[int, str]:
    """(HTTP status, body). `health.failing` names failing checks of /readyz; `health.livezFailing`
    those of /livez."""
    ready, left_out = endpoint == "readyz", set(excluded)
    failing = set(health.get("failing" if ready else "livezFailing", ()))
    if only:
        if only not in CHECKS:
            return 404, "404 page not found\n"
        if not verbose and only in failing:
            return 500, "internal server error: reason withheld\n"
    known = (only,) if only else [n for n in CHECKS if ready or n not in _ONLY_READY]
    names = [n for n in known if only or n not in left_out]
    bad = failing & set(names)
    if not bad and not verbose:
        return 200, "ok"
    lines = [f"[-]{n} failed: reason withheld" if n in bad else f"[+]{n} ok" for n in names]
    lines.append(f"{endpoint} check {'failed' if bad else 'passed'}")
    return (500 if bad else 200), "\n".join(lines) + "\n"


def metrics(
    health: dict[str, Any],
    counts: Mapping[str, int],
    requests: Mapping[tuple[str, str, int], int],
    age: float,
) -> str:
    """Prometheus text. `counts`: objects by resource; `requests`: (verb, resource, code) seen by
    this server; `age`: seconds since the start; `health.metrics`: series -> value or {start,
    perSecond, since} counted from the start."""
    rows = sorted(counts.items())
    out = ["# TYPE apiserver_resource_objects gauge"]
    out += [f'apiserver_resource_objects{{group="",resource="{name}"}} {n}' for name, n in rows]
    out.append("# TYPE apiserver_storage_objects gauge")
    out += [f'apiserver_storage_objects{{resource="{name}"}} {n}' for name, n in rows]
    out.append("# TYPE apiserver_request_total counter")
    for (verb, name, code), n in sorted(requests.items()):
        resource, _, part = name.partition("/")
        labels = f'code="{code}",resource="{resource}",subresource="{part}",verb="{verb}"'
        out.append(f"apiserver_request_total{{{labels}}} {n}")
    series: dict[str, Any] = {
        'apiserver_current_inflight_requests{request_kind="mutating"}': 3,
        'apiserver_current_inflight_requests{request_kind="readOnly"}': 8,
        'apiserver_storage_size_bytes{storage_cluster_id="etcd-0"}': 48_123_904,
        "apiserver_request_terminations_total": 0,
        **health.get("metrics", {}),
    }
    for name, value in series.items():
        if isinstance(value, dict):
            seconds = age + abs(parse_duration(value.get("since", 0)).total_seconds())
            value = float(value.get("start", 0)) + float(value.get("perSecond", 0)) * seconds
        out.append(f"{name} {value:.10g}" if isinstance(value, float) else f"{name} {value}")
    return "\n".join(out) + "\n"
