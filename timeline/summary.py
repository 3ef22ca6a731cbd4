"""Title, severity, state and cluster of an incident, folded from its entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from timeline.entry import Entry
from timeline.revisions import latest

IncidentState = Literal["open", "resolved", "closed"]
KINDS_READ: Final = (
    "incident-opened",
    "incident-closed",
    "incident-reopened",
    "milestone",
    "revision",
    "session",
)
"""The kinds of entries that `summarize` reads."""


class ClusterId(msgspec.Struct, frozen=True):
    """A cluster: the kubeconfig's context, the address of the API server, and the uid of the
    namespace kube-system; "" where unknown."""

    context: str = ""
    server: str = ""
    uid: str = ""

    def may_be(self, other: ClusterId) -> bool:
        """Whether both may be one cluster: by the uid when both know it, else by the server, else
        by the context."""
        for ours, theirs in (
            (self.uid, other.uid),
            (self.server, other.server),
            (self.context, other.context),
        ):
            if ours and theirs:
                return ours == theirs
        return True


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`severity` is "" until a person states one."""

    title: str = ""
    severity: str = ""
    state: IncidentState = "open"
    cluster: ClusterId = ClusterId()
    page: str = ""
    """What a person was paged with, "" when the record does not say."""


def summarize(entries: Iterable[Entry]) -> Summary:
    """`entries` are in the order of the record; kinds other than `KINDS_READ` may be left out."""
    read = [entry for entry in entries if entry.kind in KINDS_READ]
    opened = next((entry for entry in read if entry.kind == "incident-opened"), None)
    title = severity = page = ""
    if opened is not None:
        about = [entry for entry in read if entry is opened or entry.kind == "revision"]
        shown = next(line.entry for line in latest(about) if line.original is opened)
        title, severity = shown.text, str(shown.data.get("severity", ""))
    state: IncidentState = "open"
    context = server = uid = ""
    for entry in read:
        if entry.kind == "incident-closed":
            state = "closed"
        elif entry.kind == "incident-reopened":
            state = "open"
        elif entry.kind == "milestone" and entry.data.get("name") == "resolved":
            state = "resolved" if state == "open" else state
        elif entry.kind == "milestone" and entry.data.get("page"):
            page = page or entry.text
        context = context or entry.context
        server = str(entry.data.get("server") or server)
        uid = entry.cluster_uid or uid
    return Summary(
        title=title,
        severity=severity,
        state=state,
        cluster=ClusterId(context, server, uid),
        page=page,
    )
