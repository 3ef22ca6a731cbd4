"""create, update, patch and delete, with preconditions, dry run, optimistic concurrency and
managedFields."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import yaml

from drills.api import defaults
from drills.api.kinds import ApiResource
from drills.api.known_fields import check_strictly
from drills.api.managed_fields import record_change
from drills.api.objects import ALPHANUMERIC, Obj, dig, rfc3339
from drills.api.patch import json_patch, merge_patch, strategic_merge
from drills.api.problems import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    forbidden_field,
    not_found,
    unsupported_media,
)
from drills.api.reads import as_core_event
from drills.api.requests import QueryParameters, RequestInfo, manager_of
from drills.api.store import ObjectStore, StoredObject
from drills.api.write_checks import check_conflicts, check_identity, check_preconditions

_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_KEPT = (
    "uid creationTimestamp deletionTimestamp deletionGracePeriodSeconds generation resourceVersion "
    "managedFields namespace name"
)
"""Metadata that clients cannot change."""
_POD_UPDATES = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
    "set to 1 if it was previously negative)"
)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Result of a write: `created` decides between 200 and 201."""

    entry: StoredObject
    created: bool = False


class Writes:
    """All writes of clients. `now` gives the time stamps, `random` the generated names. `on_write`
    and `on_delete` are called after each change that is not a dry run."""

    def __init__(self, store: ObjectStore, now: Callable[[], datetime], random: Random) -> None:
        self._store, self._now, self._random = store, now, random
        self.on_delete: Callable[[ApiResource, StoredObject, Obj], None] | None = None
        self.on_write: Callable[[ApiResource, Obj | None, StoredObject], None] | None = None

    def create(
        self, target: RequestInfo, body: Obj, query: QueryParameters, user_agent: str
    ) -> WriteResult:
        """Raises ApiProblem: 400, 404 (namespace), 409, 422."""
        kind = target.kind
        obj = copy.deepcopy(body)
        check_identity(target, obj)
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        if query.get("fieldValidation") == "Strict":
            check_strictly(obj)
        meta: Obj = obj["metadata"]
        meta.pop("namespace", None)
        if kind.namespaced:
            meta["namespace"] = target.namespace
            self._check_namespace(kind, target.namespace, str(meta.get("name", "")))
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + "".join(self._random.choices(ALPHANUMERIC, k=5))
        if kind.group == "events.k8s.io":
            obj = as_core_event(obj)
        if "status" in kind.subresources and kind.plural != "customresourcedefinitions":
            obj.pop("status", None)
        defaults.check(kind, obj)
        with self._store.transaction():
            if self._store.find(kind, meta.get("namespace", ""), meta["name"]) is not None:
                raise already_exists(kind, meta["name"])
            defaults.apply_defaults(kind, obj)
            now = rfc3339(self._now())
            meta["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            meta["creationTimestamp"] = now
            if "spec" in obj:
                meta["generation"] = 1
            if kind.plural == "services":
                self._give_address(obj["spec"])
            for field in ("resourceVersion", "managedFields"):
                meta.pop(field, None)
            manager = manager_of(query, user_agent)
            meta["managedFields"] = record_change(None, obj, manager=manager, at=now)
            return self._commit(kind, None, obj, query, created=True)

    def update(
        self, target: RequestInfo, body: Obj, query: QueryParameters, user_agent: str
    ) -> WriteResult:
        """PUT. Raises ApiProblem: 404, 409, 422."""
        with self._store.transaction():
            before = self._store.get(target.kind, target.namespace, target.name)
            new = copy.deepcopy(body)
            check_identity(target, new)
            stated = new["metadata"].get("resourceVersion")
            return self._replace(target, before, new, query, user_agent, stated=stated)

    def patch(
        self,
        target: RequestInfo,
        raw: bytes,
        content_type: str,
        query: QueryParameters,
        user_agent: str,
    ) -> WriteResult:
        """Raises ApiProblem: 400, 404, 409, 415, 422. Server-side apply creates what is absent."""
        form, custom = content_type.split(";", 1)[0].strip(), self._store.is_custom(target.kind)
        if form == _APPLY:
            return self._apply(target, yaml.safe_load(raw), query)
        try:
            change: Any = json.loads(raw)
        except ValueError as error:
            raise bad_request(f"error decoding patch: {error}") from error
        merges = {_JSON_PATCH: json_patch, _MERGE_PATCH: merge_patch}
        if not custom:
            merges[_STRATEGIC] = strategic_merge
        if form not in merges:
            raise unsupported_media(", ".join([*merges, _APPLY]))
        with self._store.transaction():
            before = self._store.get(target.kind, target.namespace, target.name)
            new = copy.deepcopy(merges[form](before.obj, change))
            stated = dig(change, "metadata", "resourceVersion")
            return self._replace(target, before, new, query, user_agent, stated=stated)

    def _apply(self, target: RequestInfo, intent: Obj, query: QueryParameters) -> WriteResult:
        kind, manager = target.kind, query.get("fieldManager")
        if not manager:
            raise bad_request(
                'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is '
                "required for apply patch"
            )
        with self._store.transaction():
            before = self._store.find(kind, target.namespace, target.name)
            if before is None:
                intent.setdefault("metadata", {})["name"] = target.name
                made = self.create(RequestInfo(kind, target.namespace), intent, query, manager)
                if query.dry_run:
                    return made
                obj, now = copy.deepcopy(made.entry.obj), rfc3339(self._now())
                obj["metadata"]["managedFields"] = record_change(
                    None, obj, manager=manager, operation="Apply", at=now, applied=intent
                )
                return WriteResult(self._store.put(kind, obj), True)
            if not query.flag("force"):
                check_conflicts(kind, before.obj, intent, manager)
            new = copy.deepcopy(strategic_merge(before.obj, intent))
            return self._replace(target, before, new, query, manager, applied=intent)

    def _replace(
        self,
        target: RequestInfo,
        before: StoredObject,
        new: Obj,
        query: QueryParameters,
        user_agent: str,
        *,
        stated: Any = None,
        applied: Obj | None = None,
    ) -> WriteResult:
        """`stated` is the resourceVersion in the request."""
        kind, old, sub = target.kind, before.obj, target.subresource
        meta, old_meta = new.setdefault("metadata", {}), old["metadata"]
        if stated and str(stated) != old_meta["resourceVersion"]:
            raise conflict(kind, target.name)
        if meta.get("uid") and meta["uid"] != old_meta["uid"]:
            asked, have = meta["uid"], old_meta["uid"]
            why = f"Precondition failed: UID in precondition: {asked}, UID in object meta: {have}"
            raise conflict(kind, target.name, why)
        for field in _KEPT.split():
            meta.pop(field, None)
            if field in old_meta:
                meta[field] = copy.deepcopy(old_meta[field])
        new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
        if sub == "status":
            new = {**copy.deepcopy(old), "status": new.get("status", {})}
        elif sub == "ephemeralcontainers":
            new = _with_ephemeral(kind, old, new)
        elif "status" in kind.subresources:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copy.deepcopy(old["status"])
        defaults.check(kind, new)
        if query.get("fieldValidation") == "Strict":
            check_strictly(new)
        if kind.plural == "pods" and not sub and _fixed(old) != _fixed(new):
            raise forbidden_field(kind, old_meta["name"], "spec", _POD_UPDATES)
        meta = new["metadata"]
        if new.get("spec") != old.get("spec") and "generation" in meta:
            meta["generation"] = int(meta["generation"]) + 1
        meta["managedFields"] = record_change(
            old,
            new,
            manager=manager_of(query, user_agent),
            at=rfc3339(self._now()),
            operation="Apply" if applied is not None else "Update",
            subresource=sub if sub in {"status", "scale"} else "",
            applied=applied,
        )
        if _bare(old) == _bare(new):
            return WriteResult(before)
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and kind.plural != "pods":
            if query.dry_run:
                return WriteResult(StoredObject(new, before.rv))
            return WriteResult(self._store.remove(kind, target.namespace, target.name))
        return self._commit(kind, old, new, query)

    def delete(
        self, target: RequestInfo, options: Obj, query: QueryParameters
    ) -> tuple[StoredObject, bool]:
        """(last state, whether it is removed at once). Raises ApiProblem: 404, 409."""
        kind, name = target.kind, target.name
        with self._store.transaction():
            entry = self._store.get(kind, target.namespace, name)
            meta = entry.obj["metadata"]
            check_preconditions(kind, name, meta, options.get("preconditions") or {})
            # With a body the query is ignored.
            if (query.dry_run and not options) or "All" in (options.get("dryRun") or []):
                return entry, True
            grace = _grace(kind, entry.obj, options, query)
            gone = grace <= 0 and not meta.get("finalizers")
            if gone:
                last = self._store.remove(kind, target.namespace, name)
            else:
                marked = meta.get("deletionTimestamp")
                if marked and grace >= int(meta.get("deletionGracePeriodSeconds") or 0):
                    return entry, False
                obj = copy.deepcopy(entry.obj)
                obj["metadata"]["deletionTimestamp"] = marked or rfc3339(self._now())
                obj["metadata"]["deletionGracePeriodSeconds"] = grace
                last = self._store.put(kind, obj)
        if self.on_delete is not None:
            policy = options.get("propagationPolicy") or query.get("propagationPolicy")
            outcome = {"gone": gone, "propagationPolicy": policy or "Background"}
            self.on_delete(kind, last, {**options, **outcome})
        return last, gone

    def _commit(
        self,
        kind: ApiResource,
        old: Obj | None,
        obj: Obj,
        query: QueryParameters,
        *,
        created: bool = False,
    ) -> WriteResult:
        if query.dry_run:
            obj["metadata"].setdefault("resourceVersion", "")
            head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
            return WriteResult(StoredObject({**head, **obj}, self._store.version), created)
        entry = self._store.put(kind, obj)
        if self.on_write is not None:
            self.on_write(kind, old, entry)
        return WriteResult(entry, created)

    def _check_namespace(self, kind: ApiResource, namespace: str, name: str) -> None:
        found = self._store.lookup("Namespace", "", namespace)
        if found is None:
            raise not_found(self._store.kinds.named("Namespace"), namespace)
        if found["metadata"].get("deletionTimestamp"):
            where = f"namespace {namespace} because it is being terminated"
            raise forbidden(kind, name, f"unable to create new content in {where}")

    def _give_address(self, spec: Obj) -> None:
        """A free address from 10.96.200.0/21 upwards; scenarios use the addresses below."""
        if spec.get("type") == "ExternalName" or spec.get("clusterIP"):
            return
        used = {dig(service, "spec", "clusterIP") for service in self._store.of("Service")}
        free = (f"10.96.{a}.{b}" for a in range(200, 256) for b in range(1, 255))
        address = next((a for a in free if a not in used), None)
        if address is not None:
            spec.update(
                clusterIP=address,
                clusterIPs=[address],
                ipFamilies=["IPv4"],
                ipFamilyPolicy="SingleStack",
                internalTrafficPolicy="Cluster",
            )


def _with_ephemeral(kind: ApiResource, old: Obj, new: Obj) -> Obj:
    """The old pod with the new one's ephemeral containers; none may be removed."""
    wanted = dig(new, "spec", "ephemeralContainers", default=[])
    names = {c["name"] for c in wanted}
    for container in dig(old, "spec", "ephemeralContainers", default=[]):
        if container["name"] not in names:
            why = f'existing ephemeral containers "{container["name"]}" may not be removed'
            raise forbidden_field(kind, old["metadata"]["name"], "spec.ephemeralContainers", why)
    for container in wanted:
        defaults.container_defaults(container)
    return {**copy.deepcopy(old), "spec": {**old["spec"], "ephemeralContainers": wanted}}


def _fixed(pod: Obj) -> Obj:
    """The parts of a pod's spec that no update may change."""
    spec = copy.deepcopy(pod.get("spec") or {})
    for name in (
        "activeDeadlineSeconds",
        "tolerations",
        "schedulingGates",
        "terminationGracePeriodSeconds",
    ):
        spec.pop(name, None)
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        container.pop("image", None)
    return spec


def _grace(kind: ApiResource, obj: Obj, options: Obj, query: QueryParameters) -> int:
    """Seconds until a deleted object is removed: 0 for all but running pods."""
    if kind.plural != "pods":
        return 0
    asked = options.get("gracePeriodSeconds")
    if asked is None:
        asked = query.number("gracePeriodSeconds")
    if asked is not None:
        return int(asked)
    ended = dig(obj, "status", "phase") in {"Succeeded", "Failed"}
    if ended or not dig(obj, "spec", "nodeName"):
        return 0
    return int(dig(obj, "spec", "terminationGracePeriodSeconds", default=30))


def _bare(obj: Obj) -> Obj:
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": meta}
