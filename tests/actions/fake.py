"""An API server in memory that can fail at any step, and a journal that can refuse.

Objects live by path; JSON Patch with `test`, preconditions, evictions and dry runs behave as on the
real server (`tests/actions/test_on_api_server.py` runs the same actions there)."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import msgspec

from actions.context import ActionContext
from actions.plan import ActionPlan, ActionResult, Target, TargetResult
from cluster.api.mode import Mode, ResourceAttributes
from cluster.errors import ApiError, Conflict, Invalid, NotFound, Refused, TooManyRequests
from cluster.kube.kinds import BY_NAME, READABLE
from cluster.kube.selectors import text_matches
from cluster.live.store import Store

PLURALS = {kind.plural for kind in READABLE.values()}


@dataclass
class FakeJournal:
    fails: bool = False
    intents: list[ActionPlan] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    finished: list[TargetResult] = field(default_factory=list)
    results: list[ActionResult] = field(default_factory=list)

    async def intend(self, plan: ActionPlan) -> None:
        self._write()
        self.intents.append(plan)

    async def begin(self, plan: ActionPlan, target: Target) -> None:
        self._write()
        self.begun.append(target.ref.name)

    def finish(self, plan: ActionPlan, result: TargetResult) -> None:
        self._write()
        self.finished.append(result)

    def conclude(self, result: ActionResult) -> None:
        self._write()
        self.results.append(result)

    def _write(self) -> None:
        if self.fails:
            raise OSError("No space left on device")

    def recorded(self, change: str) -> Mapping[str, Any] | None:
        """What the record would hold of the newest intent."""
        document: Mapping[str, Any] = msgspec.json.decode(
            msgspec.json.encode(self.intents[-1].document)
        )
        return document


def no_effect() -> None:
    return None


@dataclass
class FakeApi:
    """`error` is raised for each write that is no dry run, after the change when `applies`;
    `dry_run_error` for each dry run; `read_error` for each GET once something was sent."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    mode: Mode | None = Mode.WRITE
    applies: bool = True
    error: BaseException | None = None
    dry_run_error: Exception | None = None
    read_error: Exception | None = None
    review_error: Exception | None = None
    denied: frozenset[str] = frozenset()
    disruptions: int | None = None
    """Evictions that budgets still allow; None: no budget."""
    on_write: Callable[[], None] = no_effect
    on_sleep: Callable[[], None] = no_effect
    now: datetime = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    recorded: Callable[[str], Mapping[str, Any] | None] = lambda _: None
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    """(verb, path, body) of each write that was no dry run."""
    dry_runs: list[str] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store()
        self.paths: dict[str, dict[str, Any]] = {}
        self._versions = itertools.count(100)
        for document in self.objects:
            self.put(document)

    # -- state

    def put(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Creates or replaces one object, in the API and in the live state."""
        found = copy.deepcopy(dict(document))
        meta = found.setdefault("metadata", {})
        meta.setdefault("uid", f"uid-{meta['name']}-{next(self._versions)}")
        meta["resourceVersion"] = str(next(self._versions))
        self.paths[self.path_of(found)] = found
        if kind := BY_NAME.get(found["kind"]):
            self.store.apply(kind.name, [msgspec.convert(found, kind.type, strict=False)])
        return found

    def drop(self, path: str) -> None:
        found = self.paths.pop(path)
        meta = found["metadata"]
        self.store.apply(found["kind"], (), [(meta.get("namespace") or "", meta["name"])])

    @staticmethod
    def path_of(document: Mapping[str, Any]) -> str:
        meta = document["metadata"]
        return f"{READABLE[document['kind']].path(meta.get('namespace') or '')}/{meta['name']}"

    def context(self, name: str = "lab", **more: Any) -> ActionContext:
        return ActionContext(
            self.store,
            self,
            self,
            name,
            "https://lab:6443",
            recorded=lambda change: self.recorded(change),
            clock=lambda: self.now,
            monotonic=lambda: self.now.timestamp(),
            sleep=self.sleep,
            **more,
        )

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.on_sleep()
        await asyncio.sleep(0)

    # -- reading

    async def get_json(
        self, path: str, params: Any = None, *, timeout: float | None = None, accept: str = ""
    ) -> Any:
        if self.read_error is not None and self.sent:
            raise self.read_error
        if path.rpartition("/")[2] in PLURALS:
            return {"items": self._listed(path, (params or {}).get("labelSelector", ""))}
        if path not in self.paths:
            raise NotFound(f"GET {path}: HTTP 404", status=404)
        found = copy.deepcopy(self.paths[path])
        if "PartialObjectMetadata" in accept:
            return {"kind": "PartialObjectMetadata", "metadata": found["metadata"]}
        assert found["kind"] not in ("Secret", "ConfigMap"), "their values are never read"
        return found

    def _listed(self, collection: str, selector: str) -> list[dict[str, Any]]:
        return [
            copy.deepcopy(found)
            for path, found in self.paths.items()
            if path.rpartition("/")[0] == collection
            and text_matches(selector, found["metadata"].get("labels") or {})
        ]

    async def review(
        self, verb: str, resource: str, **attributes: Unpack[ResourceAttributes]
    ) -> tuple[bool, str]:
        subresource = attributes.get("subresource", "")
        asked = f"{verb} {resource}{f'/{subresource}' if subresource else ''}"
        self.reviews.append(asked)
        if self.review_error is not None:
            raise self.review_error
        return asked not in self.denied, "no RBAC rule" if asked in self.denied else ""

    # -- writing

    async def patch(
        self,
        path: str,
        body: Any,
        *,
        content_type: str = "",
        dry_run: bool = False,
        accept: str = "",
    ) -> Mapping[str, Any]:
        def change() -> dict[str, Any]:
            if path not in self.paths:
                raise NotFound(f"PATCH {path}: HTTP 404", status=404)
            found = copy.deepcopy(self.paths[path])
            return apply(found, body) if isinstance(body, list) else merge(found, body)

        changed = await self._write("PATCH", path, body, dry_run, change)
        if "PartialObjectMetadata" in accept:
            return {"metadata": changed["metadata"]}
        assert changed.get("kind") != "Secret", "the values of a Secret do not come back"
        return changed

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
    ) -> Mapping[str, Any]:
        if path.endswith("/eviction"):
            return await self._evict(path.removesuffix("/eviction"), body, dry_run)

        def change() -> dict[str, Any]:
            if self.path_of(body) in self.paths:
                raise Conflict("POST: HTTP 409 AlreadyExists", status=409)
            return copy.deepcopy(dict(body))

        return await self._write("POST", path, body, dry_run, change)

    async def _evict(self, path: str, body: Mapping[str, Any], dry_run: bool) -> Mapping[str, Any]:
        if self.disruptions == 0:
            self._admit(dry_run)
            self.sent += [] if dry_run else [("POST", f"{path}/eviction", "blocked")]
            raise TooManyRequests("Cannot evict pod: it would violate the budget", status=429)
        if self.disruptions is not None and not dry_run:
            self.disruptions -= 1
        uid = body["deleteOptions"]["preconditions"]["uid"]
        return await self.delete(path, uid=uid, dry_run=dry_run)

    async def delete(
        self,
        path: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Mapping[str, Any]:
        def change() -> None:
            if path not in self.paths:
                raise NotFound(f"DELETE {path}: HTTP 404", status=404)
            if uid and self.paths[path]["metadata"]["uid"] != uid:
                raise Conflict("DELETE: the UID in the precondition differs", status=409)

        return await self._write("DELETE", path, {"uid": uid}, dry_run, change)

    def _admit(self, dry_run: bool) -> None:
        if dry_run:
            if self.dry_run_error is not None:
                raise self.dry_run_error
        elif self.mode is not Mode.WRITE:
            raise Refused("read-only")

    async def _write(
        self,
        verb: str,
        path: str,
        body: Any,
        dry_run: bool,
        change: Callable[[], dict[str, Any] | None],
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        self._admit(dry_run)
        if dry_run:
            self.dry_runs.append(path)
            return change() or {}
        self.on_write()
        self.sent.append((verb, path, body))
        if self.error is not None and (not self.applies or isinstance(self.error, ApiError)):
            raise self.error
        changed = change()
        if self.applies:
            if verb == "DELETE":
                self.drop(path)
            else:
                changed = self.put(changed or {})
        if self.error is not None:
            raise self.error
        return changed or {"kind": "Status", "status": "Success"}


def merge(found: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7396); another uid or version is a conflict, as on the server."""
    for name in ("uid", "resourceVersion"):
        wanted = (patch.get("metadata") or {}).get(name)
        if wanted and wanted != found["metadata"][name]:
            raise Conflict(f"PATCH: the {name} differs", status=409)

    def into(old: Any, new: Any) -> Any:
        if not isinstance(new, Mapping):
            return new
        base = dict(old) if isinstance(old, Mapping) else {}
        for key, value in new.items():
            if value is None:
                base.pop(key, None)
            else:
                base[key] = into(base.get(key), value)
        return base

    merged: dict[str, Any] = into(found, patch)
    return merged


def apply(found: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """JSON Patch (RFC 6902): test, add, replace, remove."""
    for each in operations:
        *parents, last = [
            token.replace("~1", "/").replace("~0", "~") for token in each["path"].split("/")[1:]
        ]
        here: Any = found
        try:
            for token in parents:
                here = here[int(token)] if isinstance(here, list) else here[token]
            key: Any = int(last) if isinstance(here, list) else last
            there = here.get(key) if isinstance(here, dict) else here[key]
            if each["op"] == "test" and there != each["value"]:
                raise Invalid("the server rejected our request due to an error", status=422)
            if each["op"] == "remove":
                del here[key]
            elif each["op"] == "add" and isinstance(here, list):
                here.insert(key, each["value"])
            elif each["op"] in ("add", "replace"):
                here[key] = each["value"]
        except (KeyError, IndexError):
            raise Invalid("the server rejected our request due to an error", status=422) from None
    return found
