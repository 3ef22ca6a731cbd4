"""The interface between an investigation and its two faces (screens and text)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the first paint needs none of them
    from actions.plan import ActionPlan, ActionResult
    from cluster.kube.objects import Ref
    from cluster.live.store import Store, StoreUpdate
    from incident.cadence import Cadence
    from incident.offers import Offer
    from incident.offline.elsewhere import ContextChoice, Incident
    from incident.other_kinds import OtherKind, OtherObject, ServerTable
    from incident.pod_logs import LogQuery, LogRow
    from incident.view import View
    from incident.walkthrough.walkthrough import Walkthrough
    from probes.context import Progress
    from probes.result import ProbePlan, ProbeResult
    from runbooks.match import Match
    from runbooks.model import Runbook
    from timeline.entry import Entry
    from triage.facts.measurements import NodeUsage


class Investigation(Protocol):
    """One investigation of one cluster: live state, triage, runbooks, probes, actions and the
    record.

    Call every method on the event loop that runs it. Coroutines have time limits of their own;
    cancelling one stops the work and cleans up. No method raises because the cluster is sick: the
    answer says what could not be done.
    """

    @property
    def view(self) -> View: ...

    @property
    def cadence(self) -> Cadence: ...

    @property
    def store(self) -> Store:
        """The rows behind the object tables (read only)."""
        ...

    def subscribe(self, listener: Callable[[View], None]) -> Callable[[], None]:
        """Call `listener` on the loop with each new view (at most 10 a second); returns the
        function that unsubscribes."""
        ...

    def watch_changes(
        self, listener: Callable[[Sequence[StoreUpdate]], None]
    ) -> Callable[[], None]:
        """Call `listener` with each batch of changed rows (at most 10 a second), before the view
        that follows from it."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Stop watching, sweep what was created in the cluster (bounded: 10 s), close the
        record."""
        ...

    def retry_now(self) -> None:
        """Retry at once, without waiting for the back-off."""
        ...

    # -- elsewhere: from disk alone, without a cluster

    async def contexts(self) -> Sequence[ContextChoice]:
        """The contexts of the kubeconfig. Raises an error whose message says why it cannot be
        read."""
        ...

    async def incidents(self) -> Sequence[Incident]:
        """The incidents on this machine, newest first."""
        ...

    def another(self, context: str, incident: str) -> Investigation:
        """An investigation, not started, of another context or incident; read-only at first."""
        ...

    def give_way(self) -> None:
        """Pause background work for 12 ms after a key press, so that the repaint runs first."""
        ...

    # -- runbooks

    async def read_words(self) -> None:
        """Read what ranking words needs, in a thread: half a second of CPU and 19 MiB, which a
        session in which no words are typed does not pay."""
        ...

    def match_words(self, text: str) -> Sequence[Match]:
        """Rank runbooks for the words of a person and the live evidence. After `read_words` it
        takes less than 16 ms, because it is called for every keystroke."""
        ...

    def runbooks(self) -> Sequence[Runbook]: ...

    @property
    def walkthrough(self) -> Walkthrough:
        """The runs of runbooks, and how to step through them. Raises RuntimeError before
        `start`."""
        ...

    # -- probes and actions outside a run

    async def plan_probe(self, name: str, arguments: Mapping[str, str]) -> ProbePlan: ...

    async def run_probe(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult: ...

    async def plan_action(self, name: str, arguments: Mapping[str, str]) -> ActionPlan: ...

    async def run_action(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Progress = ...,
        stopped: Callable[[], bool] = ...,
    ) -> ActionResult:
        """Run an action through the gate. Refused unless `typed` is the plan's confirmation text
        and the session was started with --write. `progress` gets a line for each object; `stopped`
        is called before each."""
        ...

    def offers(self, ref: Ref) -> Sequence[Offer]:
        """The actions that fit an object and its owner, the most likely first; then its recorded
        changes that can be undone."""
        ...

    def set_write(self, allowed: bool) -> str:
        """Allow changes, each behind its confirmation, or make the session read-only. Returns one
        sentence that says why this is not possible (the settings fix the context as read-only), ""
        on success."""
        ...

    @property
    def read_only_reason(self) -> str:
        """Why changes cannot be allowed here (the settings), "" when they can."""
        ...

    # -- objects

    async def other_kinds(self) -> Sequence[OtherKind]:
        """The kinds of the server that are not watched, custom resources among them."""
        ...

    async def other_rows(self, kind: OtherKind) -> ServerTable:
        """The objects of such a kind, as the server's own table."""
        ...

    async def other_object(self, ref: Ref, kind: OtherKind | None) -> OtherObject:
        """One object of a kind that is not watched. Without `kind` the server is asked for it."""
        ...

    def node_usage(self, name: str) -> NodeUsage | None:
        """The last measurement of a node, None when there is none."""
        ...

    async def object_yaml(self, ref: Ref) -> str:
        """The object without managedFields, redacted. Secrets: names and keys only. On failure one
        sentence that says why."""
        ...

    def logs(self, query: LogQuery) -> AsyncGenerator[Sequence[LogRow], None]:
        """Groups of rows, each group sorted by time, until the logs end or the iterator is closed.
        A log that cannot be read is a row that says why."""
        ...

    # -- record

    def note(self, text: str, about: Sequence[Ref] = (), *, from_yaml: bool = False) -> Entry:
        """Record a note: `text`, `-5m text` or `@14:30 text`. Works without a cluster and does not
        wait for the disk: the note is safe when `recorded` returns.

        `about`: the objects of the kept evidence. `from_yaml`: it is from `object_yaml`. Raises
        ValueError with a sentence for an invalid time.
        """
        ...

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        """Wait until the entry is on disk. Raises `RecordUnavailable`, whose message says NOT
        RECORDED and why; with `again`, wait until the disk takes what it refused before."""
        ...

    async def begin_incident(self) -> None:
        """Leave the incident open and begin a new one."""
        ...

    def rename_incident(self, title: str) -> Entry:
        """Raises ValueError with a sentence for an empty title, as `set_severity` does."""
        ...

    def set_severity(self, severity: str) -> Entry: ...

    def close_incident(self, reason: str) -> Entry: ...

    def reopen_incident(self, reason: str) -> Entry: ...

    def revise(self, entry: Entry, action: str, text: str = "") -> Entry:
        """Pin, unpin, hide, unhide or edit (`text`) an entry by one more entry."""
        ...

    def redacted(self, text: str) -> str:
        """`text` without secrets, as the record would store it."""
        ...

    def views(self) -> Mapping[str, str]:
        """Named selections of the log: the built-in ones, then the saved ones."""
        ...

    def save_view(self, name: str, text: str) -> None:
        """Save a selection under a name, or remove it without `text`. Raises ValueError with a
        sentence for a name in use, OSError."""
        ...

    async def brief(self) -> str:
        """The hand-off summary as text."""
        ...

    def conclude_change(self, intent: Entry, seen: str) -> Entry:
        """Record what a person found out about a change in `View.record.unknown`."""
        ...

    def unrecorded(self) -> Sequence[Entry]:
        """Entries that are not on disk; they are lost if the process ends."""
        ...

    def entries(self) -> Sequence[Entry]:
        """All entries, oldest first by the time they happened; those whose `on_disk` is false are
        not acknowledged yet."""
        ...

    async def evidence(self, sha256: str) -> str:
        """The text of one piece of evidence, or one sentence that says why it is not available."""
        ...

    async def draft(self) -> str:
        """The post-mortem draft as Markdown."""
        ...

    async def export(self) -> str:
        """Write the draft beside the record without losing edits; returns what was written and
        where, in one sentence."""
        ...
