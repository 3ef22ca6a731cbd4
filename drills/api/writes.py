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
from drills.api.kinds import Kind
from drills.api.known_fields import check_strictly
from drills.api.managed_fields import owned_paths, paths, record_change, value_at
from drills.api.objects import Obj, dig, rfc3339
from drills.api.patch import apply_merge, json_patch, merge_patch, strategic_merge
from drills.api.problems import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    unsupported_media,
)
from drills.api.requests import Query, Target, manager_of
from drills.api.store import Entry, Store

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Write:
    """What came of a write: `created` decides between 200 and 201."""

    entry: Entry
    created: bool = False


class Writes:
    """All changes that clients ask for. `now` gives the time for stamps, `random` the generated
    names."""

    def __init__(self, store: Store, now: Callable[[], datetime], random: Random) -> None:
        self._store, self._now, self._random = store, now, random
        self.on_delete: Callable[[Kind, Entry, Obj], None] | None = None
        self.on_write: Callable[[Kind, Obj | None, Entry], None] | None = None

    def create(self, target: Target, body: Obj, query: Query, user_agent: str) -> Write:
        """Raises ApiProblem: 400, 404 (namespace), 409, 422."""
        kind = target.kind
        obj = copy.deepcopy(body)
        meta: Obj = obj.setdefault("metadata", {})
        self._check_identity(target, obj)
        if query.get("fieldValidation") == "Strict":
            check_strictly({"kind": kind.kind, "apiVersion": kind.api_version, **body})
        if kind.namespaced:
            meta["namespace"] = target.namespace
            self._check_namespace(kind, target.namespace, str(meta.get("name", "")))
        else:
            meta.pop("namespace", None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + "".join(self._random.choices(_SUFFIX, k=5))
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        if kind.group == "events.k8s.io":
            obj = _as_core_event(obj)
        if "status" in kind.subresources and kind.plural not in {
            "events",
            "customresourcedefinitions",
        }:
            obj.pop("status", None)
        defaults.check(kind, obj)
        with self._store.transaction():
            if self._store.find(kind, meta.get("namespace", ""), meta["name"]) is not None:
                raise already_exists(kind, meta["name"])
            defaults.apply_defaults(kind, obj)
            meta["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            meta["creationTimestamp"] = rfc3339(self._now())
            meta.pop("resourceVersion", None)
            if "spec" in obj:
                meta["generation"] = 1
            if kind.plural == "services":
                self._give_address(obj)
            meta.pop("managedFields", None)
            meta["managedFields"] = record_change(
                None,
                obj,
                manager=manager_of(query, user_agent),
                operation="Update",
                at=rfc3339(self._now()),
            )
            return self._commit(kind, None, obj, query, created=True)

    def update(self, target: Target, body: Obj, query: Query, user_agent: str) -> Write:
        """PUT. Raises ApiProblem: 404, 409, 422."""
        kind = target.kind
        with self._store.transaction():
            before = self._store.get(kind, target.namespace, target.name)
            new = copy.deepcopy(body)
            self._check_identity(target, new)
            return self._replace(target, before, new, query, user_agent)

    def patch(
        self, target: Target, raw: bytes, content_type: str, query: Query, user_agent: str
    ) -> Write:
        """Raises ApiProblem: 400, 404, 409, 415, 422. Server-side apply creates what is absent."""
        kind, form = target.kind, content_type.split(";", 1)[0].strip()
        if form == "application/apply-patch+yaml":
            return self._apply(target, yaml.safe_load(raw), query)
        try:
            change: Any = json.loads(raw)
        except ValueError as error:
            raise bad_request(f"error decoding patch: {error}") from error
        with self._store.transaction():
            before = self._store.get(kind, target.namespace, target.name)
            if form == "application/json-patch+json":
                new = json_patch(before.obj, change)
            elif form == "application/merge-patch+json":
                new = merge_patch(before.obj, change)
            elif form == "application/strategic-merge-patch+json":
                if self._store.is_custom(kind):
                    raise unsupported_media(
                        "the body of the request was in an unknown format - accepted media types "
                        "include: application/json-patch+json, application/merge-patch+json, "
                        "application/apply-patch+yaml"
                    )
                new = strategic_merge(before.obj, change)
            else:
                raise unsupported_media(
                    f"the body of the request was in an unknown format ({form})"
                )
            new = copy.deepcopy(new)
            return self._replace(
                target,
                before,
                new,
                query,
                user_agent,
                stated=dig(change, "metadata", "resourceVersion")
                if isinstance(change, dict)
                else None,
            )

    def _apply(self, target: Target, intent: Obj, query: Query) -> Write:
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
                made = self.create(
                    Target(kind, target.namespace, "", "", ""), intent, query, manager
                )
                obj = copy.deepcopy(made.entry.obj)
                obj["metadata"]["managedFields"] = record_change(
                    None,
                    obj,
                    manager=manager,
                    operation="Apply",
                    at=rfc3339(self._now()),
                    applied=intent,
                )
                return made if query.dry_run else Write(self._store.put(kind, obj), True)
            self._check_conflicts(kind, before.obj, intent, manager, query)
            new = copy.deepcopy(apply_merge(before.obj, intent))
            return self._replace(target, before, new, query, manager, applied=intent)

    def _check_conflicts(
        self, kind: Kind, before: Obj, intent: Obj, manager: str, query: Query
    ) -> None:
        if query.flag("force"):
            return
        wanted = {
            p for p in paths(intent) if p[-1] != "." and value_at(before, p) != value_at(intent, p)
        }
        for entry in before["metadata"].get("managedFields") or []:
            if entry["manager"] == manager and entry["operation"] == "Apply":
                continue
            both = wanted & owned_paths(entry.get("fieldsV1") or {})
            if both:
                fields = ", ".join(sorted("." + ".".join(s[2:] for s in p) for p in both))
                problem = conflict(kind, before["metadata"]["name"])
                message = (
                    f"Apply failed with {len(both)} conflict{'s' if len(both) > 1 else ''}: "
                    f'conflict with "{entry["manager"]}": {fields}'
                )
                problem.status["message"] = message
                problem.status["details"] = {
                    "causes": [
                        {
                            "reason": "FieldManagerConflict",
                            "message": f'conflict with "{entry["manager"]}"',
                            "field": fields,
                        }
                    ]
                }
                raise problem

    def _replace(
        self,
        target: Target,
        before: Entry,
        new: Obj,
        query: Query,
        user_agent: str,
        *,
        stated: Any = None,
        applied: Obj | None = None,
    ) -> Write:
        kind, old, sub = target.kind, before.obj, target.subresource
        meta, old_meta = new.setdefault("metadata", {}), old["metadata"]
        if stated is None and applied is None:
            stated = meta.get("resourceVersion")
        if stated and str(stated) != old_meta["resourceVersion"]:
            raise conflict(kind, target.name)
        if meta.get("uid") and meta["uid"] != old_meta["uid"]:
            raise conflict(
                kind,
                target.name,
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: "
                f"{old_meta['uid']}",
            )
        for field in (
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "resourceVersion",
            "managedFields",
            "namespace",
            "name",
        ):
            if field in old_meta:
                meta[field] = copy.deepcopy(old_meta[field])
            else:
                meta.pop(field, None)
        new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
        if sub == "status":
            new = {**copy.deepcopy(old), "status": new.get("status", {})}
        elif sub == "ephemeralcontainers":
            new = self._only_ephemeral(kind, old, new)
        elif "status" in kind.subresources:
            if "status" in old:
                new["status"] = copy.deepcopy(old["status"])
            else:
                new.pop("status", None)
        defaults.check(kind, new)
        if query.get("fieldValidation") == "Strict":
            check_strictly(new)
        if kind.plural == "pods" and not sub:
            self._check_pod_update(kind, old, new)
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
        if _same(old, new):
            return Write(before)
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and kind.plural != "pods":
            if not query.dry_run:
                return Write(self._store.remove(kind, target.namespace, target.name))
            return Write(Entry(new, before.rv))
        return self._commit(kind, old, new, query)

    @staticmethod
    def _only_ephemeral(kind: Kind, old: Obj, new: Obj) -> Obj:
        have = dig(old, "spec", "ephemeralContainers", default=[])
        want = dig(new, "spec", "ephemeralContainers", default=[])
        kept = {c["name"]: c for c in want}
        for container in have:
            if container["name"] not in kept:
                raise invalid(
                    kind,
                    old["metadata"]["name"],
                    [
                        (
                            "spec.ephemeralContainers",
                            "FieldValueForbidden",
                            f'Forbidden: existing ephemeral containers "{container["name"]}" may '
                            "not be removed",
                        )
                    ],
                )
        for container in want:
            defaults.container_defaults(container)
        out = copy.deepcopy(old)
        out["spec"]["ephemeralContainers"] = want
        return out

    @staticmethod
    def _check_pod_update(kind: Kind, old: Obj, new: Obj) -> None:
        def fixed(obj: Obj) -> Obj:
            spec = copy.deepcopy(obj.get("spec") or {})
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

        if fixed(old) != fixed(new):
            raise invalid(
                kind,
                old["metadata"]["name"],
                [
                    (
                        "spec",
                        "FieldValueForbidden",
                        "Forbidden: pod updates may "
                        "not change fields other than "
                        "`spec.containers[*].image`,`spec.initContainers[*].image`,"
                        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                        "existing tolerations),"
                        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                        "previously "
                        "negative)",
                    )
                ],
            )

    def delete(self, target: Target, options: Obj, query: Query) -> tuple[Entry, bool]:
        """(last state, whether it is gone at once). Raises ApiProblem: 404, 409."""
        kind = target.kind
        with self._store.transaction():
            entry = self._store.get(kind, target.namespace, target.name)
            meta = entry.obj["metadata"]
            required = options.get("preconditions") or {}
            if required.get("uid") and required["uid"] != meta["uid"]:
                raise conflict(
                    kind,
                    target.name,
                    f"the UID in the precondition ({required['uid']}) does not match the "
                    f"UID in record ({meta['uid']}). The object might have been deleted and then "
                    "recreated",
                )
            if (
                required.get("resourceVersion")
                and required["resourceVersion"] != meta["resourceVersion"]
            ):
                raise conflict(
                    kind,
                    target.name,
                    "the ResourceVersion in the precondition "
                    f"({required['resourceVersion']}) does not match the ResourceVersion in record "
                    f"({meta['resourceVersion']}). The object might have been modified",
                )
            if query.dry_run or "All" in (options.get("dryRun") or []):
                return entry, True
            grace = self._grace(kind, entry.obj, options, query)
            if grace > 0 or meta.get("finalizers"):
                if meta.get("deletionTimestamp") and grace >= int(
                    meta.get("deletionGracePeriodSeconds") or 0
                ):
                    return entry, False
                obj = copy.deepcopy(entry.obj)
                obj["metadata"]["deletionTimestamp"] = obj["metadata"].get(
                    "deletionTimestamp"
                ) or rfc3339(self._now())
                obj["metadata"]["deletionGracePeriodSeconds"] = grace
                last, gone = self._store.put(kind, obj), False
            else:
                last, gone = self._store.remove(kind, target.namespace, target.name), True
        if self.on_delete is not None:
            self.on_delete(
                kind,
                last,
                {
                    **options,
                    "gone": gone,
                    "propagationPolicy": options.get("propagationPolicy")
                    or query.get("propagationPolicy")
                    or "Background",
                },
            )
        return last, gone

    @staticmethod
    def _grace(kind: Kind, obj: Obj, options: Obj, query: Query) -> int:
        if kind.plural != "pods":
            return 0
        asked = options.get("gracePeriodSeconds")
        if asked is None:
            asked = query.number("gracePeriodSeconds")
        if asked is not None:
            return int(asked)
        if not dig(obj, "spec", "nodeName") or dig(obj, "status", "phase") in {
            "Succeeded",
            "Failed",
        }:
            return 0
        return int(dig(obj, "spec", "terminationGracePeriodSeconds", default=30))

    def _commit(
        self, kind: Kind, old: Obj | None, obj: Obj, query: Query, *, created: bool = False
    ) -> Write:
        if query.dry_run:
            obj["metadata"].setdefault("resourceVersion", "")
            return Write(
                Entry(
                    {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **obj},
                    self._store.version,
                ),
                created,
            )
        entry = self._store.put(kind, obj)
        if self.on_write is not None:
            self.on_write(kind, old, entry)
        return Write(entry, created)

    def _check_identity(self, target: Target, obj: Obj) -> None:
        kind, meta = target.kind, obj.setdefault("metadata", {})
        if obj.get("kind") not in {None, "", kind.kind}:
            raise bad_request(
                f'{obj.get("kind")} in version "{obj.get("apiVersion")}" cannot be handled as a '
                f"{kind.kind}: no kind {obj.get('kind')!r} is registered for this resource"
            )
        if kind.namespaced and meta.get("namespace") not in {None, "", target.namespace}:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        if target.name and meta.get("name") not in {None, "", target.name}:
            raise bad_request(
                f"the name of the object ({meta.get('name')}) does not match the name on the URL "
                f"({target.name})"
            )

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        spaces = self._store.kinds.by_url("", "v1", "namespaces")
        assert spaces is not None
        found = self._store.find(spaces, "", namespace)
        if found is None:
            raise not_found(spaces, namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            problem = forbidden(kind, name, "", "create", namespace)
            problem.status["message"] = (
                f'{kind.qualified} "{name}" is forbidden: unable to create new content in '
                f"namespace {namespace} because it is being terminated"
            )
            raise problem

    def _give_address(self, obj: Obj) -> None:
        spec = obj["spec"]
        if spec.get("type") == "ExternalName" or spec.get("clusterIP"):
            return
        kind = self._store.kinds.by_url("", "v1", "services")
        assert kind is not None
        used = {dig(e.obj, "spec", "clusterIP") for e in self._store.entries(kind)}
        for third in range(200, 256):
            for fourth in range(1, 255):
                address = f"10.96.{third}.{fourth}"
                if address not in used:
                    spec.update(
                        clusterIP=address,
                        clusterIPs=[address],
                        ipFamilies=["IPv4"],
                        ipFamilyPolicy="SingleStack",
                        internalTrafficPolicy="Cluster",
                    )
                    return


def _same(old: Obj, new: Obj) -> bool:
    def bare(obj: Obj) -> Obj:
        meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
        return {**obj, "metadata": meta}

    return bare(old) == bare(new)


def _as_core_event(obj: Obj) -> Obj:
    out = {
        k: v
        for k, v in obj.items()
        if k
        not in {
            "regarding",
            "note",
            "reportingController",
            "deprecatedSource",
            "deprecatedCount",
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
        }
    }
    out.update(
        apiVersion="v1",
        kind="Event",
        involvedObject=obj.get("regarding", {}),
        message=obj.get("note", ""),
        reportingComponent=obj.get("reportingController", ""),
        source=obj.get("deprecatedSource", {}),
    )
    return out
