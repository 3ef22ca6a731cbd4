"""Finds and removes objects that probes created: at exit, on signals, at the next start, on demand.

Only objects with our label are considered. Removed are those of this session (at its end), those
that an open intent row names, and those past their deadline. Objects of another running session are
reported only.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cluster.api.mode import EXPIRES_AT, MANAGED_BY
from cluster.api.transport import PARTIAL_LIST
from cluster.errors import ClusterError, Forbidden
from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Ref
from probes.context import ProbeContext
from probes.pods import ephemeral_container as ephemeral
from probes.pods.lifecycle import remove_all
from probes.select.labels import OPERATOR, OWN, SESSION

_KINDS = ("Pod", "ConfigMap")


class SweepScope(enum.StrEnum):
    SESSION = "session"
    """Objects of this run: at exit and on signals."""
    RECORD = "record"
    """Objects that open rows of earlier runs name, and expired ones: at the next start. Leaves the
    objects of this run."""
    ALL = "all"
    """Everything with our label, also of other operators: on demand only."""


@dataclass(frozen=True, slots=True)
class Owned:
    """One object with our label. `expires` None: the annotation is missing or unreadable; it counts
    as expired."""

    ref: Ref
    uid: str
    session: str
    operator: str
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class SweepReport:
    """Result of a sweep. `left`: what remains, with the reason; `others`: objects of other
    sessions, which may still run."""

    removed: tuple[Ref, ...] = ()
    left: Mapping[Ref, str] | None = None
    others: tuple[Owned, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.left and not self.problems

    @property
    def sentence(self) -> str:
        parts = [f"{len(self.removed)} removed"]
        if self.left:
            parts.append("left behind: " + "; ".join(self.left.values()))
        if self.others:
            parts.append(f"{len(self.others)} of other sessions left alone")
        return "; ".join([*parts, *self.problems])


async def sweep(
    context: ProbeContext, scope: SweepScope = SweepScope.RECORD, *, limit_s: float = 8.0
) -> SweepReport:
    """Removes what `scope` covers. Does not raise for a failing cluster: the report says what could
    not be done. About `limit_s` seconds for pods and for their owners."""
    if context.api is None:
        return SweepReport(
            problems=(
                "There is no connection to the API server: nothing was swept, it is done at the "
                "next start.",
            )
        )
    intents = {intent.ref: intent for intent in await context.ledger.open_intents()}
    if scope is not SweepScope.ALL:
        # A probe may begin while the sweep at the start runs: its objects are no leftovers.
        own = scope is SweepScope.SESSION
        intents = {
            ref: intent
            for ref, intent in intents.items()
            if (intent.session == context.session) is own
        }
    for ref in [ref for ref in intents if ref.kind == ephemeral.KIND]:
        ephemeral.close(context, ref)
        del intents[ref]
    if scope is SweepScope.SESSION and not intents:
        return SweepReport()
    owned: dict[Ref, Owned] = {}
    problems: list[str] = []
    seen_everywhere = True
    for kind in _KINDS:
        namespaces = (
            sorted({ref.namespace for ref in intents}) if scope is SweepScope.SESSION else [""]
        )
        for namespace in namespaces:
            try:
                owned |= await _list(context, kind, namespace)
            except Forbidden:
                seen_everywhere = False
                owned |= await _list_named(
                    context, kind, {ref.namespace for ref in intents if ref.kind == kind}, problems
                )
            except ClusterError as error:
                seen_everywhere = False
                problems.append(
                    f"{BY_NAME[kind].plural} could not be listed, so what is left is not known: "
                    f"{error}"
                )
    now = context.clock()
    mine: dict[Ref, str] = {}
    others: list[Owned] = []
    for ref, each in owned.items():
        named = ref in intents and intents[ref].session == each.session
        expired = each.expires is None or each.expires <= now
        own = each.session == context.session
        if scope is SweepScope.ALL or (
            own if scope is SweepScope.SESSION else (named or expired) and not own
        ):
            mine[ref] = each.uid
        elif not own:
            others.append(each)
    left = await remove_all(context, mine, limit_s=limit_s)
    if seen_everywhere and not problems:
        for ref in intents:
            if ref not in owned:
                context.ledger.removed(
                    ref, "not in the cluster: it never came to be, or was removed"
                )
    return SweepReport(
        tuple(sorted(ref for ref in mine if ref not in left)), left, tuple(others), tuple(problems)
    )


async def _list(context: ProbeContext, kind: str, namespace: str) -> dict[Ref, Owned]:
    assert context.api is not None
    path = BY_NAME[kind].path(namespace)
    found: dict[Ref, Owned] = {}
    token = ""
    while True:
        params: dict[str, str | int | list[str]] = {
            "labelSelector": f"{MANAGED_BY}={OWN}",
            "limit": 200,
        }
        if token:
            params["continue"] = token
        answer = await context.api.get_json(path, params, timeout=8, accept=PARTIAL_LIST)
        for item in answer.get("items") or ():
            meta = item.get("metadata") if isinstance(item, dict) else None
            meta = meta if isinstance(meta, dict) else {}
            labels = meta.get("labels")
            # A selector may be ignored, and an odd object is none of ours.
            if isinstance(labels, dict) and labels.get(MANAGED_BY) == OWN:
                each = _owned(kind, meta)
                found[each.ref] = each
        token = str((answer.get("metadata") or {}).get("continue") or "")
        if not token:
            return found


async def _list_named(
    context: ProbeContext, kind: str, namespaces: set[str], problems: list[str]
) -> dict[Ref, Owned]:
    found: dict[Ref, Owned] = {}
    for namespace in sorted(namespaces):
        try:
            found |= await _list(context, kind, namespace)
        except ClusterError as error:
            plural = BY_NAME[kind].plural
            problems.append(f"{plural} of namespace {namespace} could not be listed: {error}")
    return found


def _owned(kind: str, meta: Mapping[str, Any]) -> Owned:
    annotations, labels = meta.get("annotations"), meta.get("labels") or {}
    annotations = annotations if isinstance(annotations, dict) else {}
    try:
        expires = datetime.fromisoformat(
            str(annotations.get(EXPIRES_AT, "")).replace("Z", "+00:00")
        ).astimezone(UTC)
    except (ValueError, OverflowError):  # anyone who may make a pod may write any time
        expires = None
    ref = Ref(kind, str(meta.get("namespace") or ""), str(meta.get("name") or ""))
    return Owned(
        ref,
        str(meta.get("uid") or ""),
        str(labels.get(SESSION, "")),
        str(annotations.get(OPERATOR, "")),
        expires,
    )
