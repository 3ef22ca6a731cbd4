"""An API server, write door and exec in memory, with a network that refuses as it is told. Time
passes only when something sleeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

from cluster.api.exec import ExecResult
from cluster.api.mode import Mode, ResourceAttributes
from cluster.api.transport import JSON, Params
from cluster.errors import ClusterError, Forbidden, NotFound
from cluster.live.store import Store
from probes.context import ProbeContext
from probes.ledger import Ledger, MemoryLedger

Network = Callable[[str, str, str], str]
"""(source namespace, source node, target HOST:PORT) -> "ok", "rst", "icmp" or "drop"."""

_FACTS: dict[str, dict[str, Any]] = {
    "ok": {"ms": 0, "said": "open", "rc": 0, "opens": 1, "segs": 2},
    "rst": {"ms": 0, "said": "refused", "rc": 1, "opens": 1, "fails": 1, "segs": 1},
    "icmp": {
        "ms": 1010,
        "said": "refused",
        "rc": 1,
        "opens": 1,
        "fails": 1,
        "retrans": 1,
        "unreach": 2,
    },
    "drop": {"ms": 4000, "said": "timeout", "rc": 1, "opens": 1, "retrans": 3},
}


def _facts(answer: str) -> dict[str, Any]:
    """What the script prints of one connect; "icmp6 from ADDRESS": from python, with the sender by
    the kernel."""
    if answer.startswith("icmp6 from "):
        return {
            "ms": 0,
            "said": "refused",
            "rc": 111,
            "opens": 1,
            "unreach": 1,
            "icmp": "1/4",
            "from": answer.split()[-1],
        }
    return _FACTS[answer]


@dataclass
class FakeCluster:
    """`objects` by path. `on_create` may raise; `broken_exec` is given back as the error of every
    exec; `stuck`: pods never start."""

    store: Store
    network: Network
    objects: dict[str, Any] = field(default_factory=dict)
    now: datetime = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    log: list[str] = field(default_factory=list)
    broken_exec: str = ""
    stuck: str = ""
    denied: frozenset[str] = frozenset()
    refuse_dry_run: ClusterError | None = None
    undeletable: bool = False
    on_create: Callable[[str], None] = lambda _: None
    texts: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, Any] = field(default_factory=dict)
    """Pods of others, as far as something was added to them."""
    on_exec: Callable[[], None] = lambda: None
    mode: Mode = Mode.READ_ONLY

    def context(self, ledger: Ledger | None = None, **more: Any) -> ProbeContext:
        self.ledger: Any = ledger or MemoryLedger()
        return ProbeContext(
            store=self.store,
            api=self,
            writer=self,
            execute=self.execute,
            ledger=self.ledger,
            operator="me@here",
            incident="INC-1",
            clock=lambda: self.now,
            sleep=self.sleep,
            **more,
        )

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    # -- reading

    async def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
    ) -> Any:
        if path.endswith("/events"):
            return {
                "items": [{"type": "Warning", "message": f"kubelet: {self.stuck}"}]
                if self.stuck
                else []
            }
        if path.rsplit("/", 1)[1] in ("pods", "configmaps"):
            if "list" in self.denied:
                raise Forbidden("list: HTTP 403", status=403)
            plural = path.rsplit("/", 1)[1]
            within = path if "namespaces" in path else ""
            listed = [
                o for p, o in self.objects.items() if f"/{plural}/" in p and p.startswith(within)
            ]
            return {"items": listed, "metadata": {}}  # as a server that ignores the selector
        found = self.objects.get(path) or self.pods.get(path)
        if isinstance(found, ClusterError):
            raise found
        if found is None:
            raise NotFound(f"{path}: HTTP 404", status=404)
        return found

    async def get_text(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        cap: int = 1 << 20,
        last: bool = False,
    ) -> tuple[str, bool]:
        found = self.texts.get(path)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, ClusterError):
            raise found
        if found is None:
            raise NotFound(f"{path}: HTTP 404", status=404)
        return found, False

    # -- writing

    async def create(
        self, path: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> Mapping[str, Any]:
        if dry_run:
            self.log.append("dry-run")
            if self.refuse_dry_run is not None:
                raise self.refuse_dry_run
            return body
        name = body["metadata"]["name"]
        self.on_create(name)
        self.log.append(f"create {body['kind']}")
        made: dict[str, Any] = json.loads(json.dumps(body))
        made["metadata"]["uid"] = f"uid-{len(self.log)}"
        if body["kind"] == "Pod":
            node = body["spec"]["affinity"]["nodeAffinity"][
                "requiredDuringSchedulingIgnoredDuringExecution"
            ]["nodeSelectorTerms"][0]
            made["spec"]["nodeName"] = node["matchExpressions"][0]["values"][0]
            state = (
                {"waiting": {"reason": self.stuck, "message": "no such image"}}
                if self.stuck
                else {"running": {}}
            )
            made["status"] = {
                "phase": "Running",
                "podIP": "10.1.1.1",
                "containerStatuses": [{"name": "probe", "state": state}],
            }
        self.objects[f"{path}/{name}"] = made
        return made

    async def patch(
        self, path: str, body: Mapping[str, Any], *, content_type: str, dry_run: bool = False
    ) -> Mapping[str, Any]:
        pod_path, _, subresource = path.rpartition("/")
        assert subresource == "ephemeralcontainers", "probes patch nothing else"
        assert content_type == "application/strategic-merge-patch+json"
        if self.refuse_dry_run is not None and dry_run:
            raise self.refuse_dry_run
        self.log.append("dry-run" if dry_run else "patch ephemeralcontainers")
        if not dry_run:
            name = body["spec"]["ephemeralContainers"][0]["name"]
            self.on_create(name)
            state = (
                {"waiting": {"reason": self.stuck, "message": "no such image"}}
                if self.stuck
                else {"running": {}}
            )
            self.pods[pod_path] = {
                "status": {"ephemeralContainerStatuses": [{"name": name, "state": state}]}
            }
        return body

    async def delete(
        self, path: str, *, uid: str = "", grace_seconds: int | None = None
    ) -> Mapping[str, Any]:
        self.log.append(f"delete{' by force' if grace_seconds == 0 else ''}")
        if path not in self.objects:
            raise NotFound(f"{path}: HTTP 404", status=404)
        if not self.undeletable or grace_seconds == 0:
            del self.objects[path]
        return {}

    async def review(
        self, verb: str, resource: str, **attributes: Unpack[ResourceAttributes]
    ) -> tuple[bool, str]:
        subresource = attributes.get("subresource", "")
        shown = f"{verb} {resource}{'/' + subresource if subresource else ''}"
        return shown not in self.denied, ""

    # -- exec

    async def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str], deadline_s: float
    ) -> ExecResult:
        self.log.append(f"exec {namespace}/{pod}")
        self.on_exec()
        if self.broken_exec:
            return ExecResult(error=self.broken_exec)
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
        made = self.objects.get(path)
        row = self.store.get("Pod", namespace, pod)
        node = made["spec"]["nodeName"] if made else row.spec.node_name if row is not None else ""
        options = dict(a.split("=", 1) for a in command[4:] if "=" in a)
        targets = [a for a in command[4:] if "=" not in a]
        zero = dict.fromkeys(("opens", "fails", "resets", "retrans", "segs", "unreach"), 0)
        lines: list[dict[str, Any]] = [
            {"event": "begin", "v": 1, "tool": "nc", "has": "nc timeout", "counters": 1},
            {"event": "idle", "ms": 500, **zero},
        ]
        count = 0
        for _ in range(int(options["tries"])):
            for target in targets:
                count += 1
                facts = _facts(self.network(namespace, node, target))
                self.now += timedelta(milliseconds=facts["ms"] + int(options["gap"]))
                lines.append(
                    {
                        "event": "try",
                        "n": count,
                        "target": target,
                        "at": int(self.now.timestamp()),
                        **zero,
                        **facts,
                    }
                )
        lines.append({"event": "end", "count": count})
        await asyncio.sleep(0)
        return ExecResult(stdout="\n".join(map(json.dumps, lines)), exit_code=0)
