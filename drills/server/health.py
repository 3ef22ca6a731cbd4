"""What the API server says about itself: /readyz, /livez, /healthz, /version and /metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from drills.api.objects import parse_duration

CHECKS = (
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/bootstrap-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/apiservice-status-available-controller",
    "autoregister-completion",
    "shutdown",
)
_LIVE = tuple(c for c in CHECKS if c not in {"etcd-readiness", "informer-sync", "shutdown"})


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
    failing = set(health.get("failing" if endpoint == "readyz" else "livezFailing", ()))
    names = [c for c in (CHECKS if endpoint == "readyz" else _LIVE) if c not in set(excluded)]
    if only:
        names = [n for n in CHECKS if n == only]
        if not names:
            return 404, "404 page not found\n"
        if not verbose:
            return (
                (500, "internal server error: reason withheld\n")
                if only in failing
                else (200, "ok")
            )
    bad = [n for n in names if n in failing]
    if not bad and not verbose:
        return 200, "ok"
    lines = [f"[-]{n} failed: reason withheld" if n in failing else f"[+]{n} ok" for n in names]
    lines.append(f"{endpoint} check {'failed' if bad else 'passed'}")
    return (500 if bad else 200), "\n".join(lines) + "\n"


def metrics(
    health: dict[str, Any],
    counts: dict[str, int],
    requests: dict[tuple[str, str, int], int],
    started: datetime,
    now: datetime,
) -> str:
    """Prometheus text. `counts`: objects by resource; `requests`: (verb, resource, code) seen by
    this server;
    `health.metrics`: series -> value or {start, perSecond} counted from the start."""
    out = ["# TYPE apiserver_resource_objects gauge"]
    out += [
        f'apiserver_resource_objects{{group="",resource="{name}"}} {n}'
        for name, n in sorted(counts.items())
    ]
    out.append("# TYPE apiserver_storage_objects gauge")
    out += [
        f'apiserver_storage_objects{{resource="{name}"}} {n}' for name, n in sorted(counts.items())
    ]
    out.append("# TYPE apiserver_request_total counter")
    out += [
        f'apiserver_request_total{{code="{code}",resource="{resource}",verb="{verb}"}} {n}'
        for (verb, resource, code), n in sorted(requests.items())
    ]
    seconds = (now - started).total_seconds()
    series: dict[str, Any] = {
        'apiserver_current_inflight_requests{request_kind="mutating"}': 3,
        'apiserver_current_inflight_requests{request_kind="readOnly"}': 8,
        'apiserver_storage_size_bytes{storage_cluster_id="etcd-0"}': 48_123_904,
        "apiserver_request_terminations_total": 0,
        **health.get("metrics", {}),
    }
    for name, value in series.items():
        if isinstance(value, dict):
            since = abs(parse_duration(value["since"]).total_seconds()) if "since" in value else 0.0
            value = float(value.get("start", 0)) + float(value.get("perSecond", 0)) * (
                seconds + since
            )
        out.append(f"{name} {value:.10g}" if isinstance(value, float) else f"{name} {value}")
    return "\n".join(out) + "\n"
