"""The parts that an investigation joins. This module imports what is heavy, so it is loaded after the first paint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cluster.access import Access
from cluster.freshness import Freshness
from cluster.kubeconfig import load_access
from cluster.live import LiveCluster
from cluster.store import Store
from cluster.transport import Api
from incident.acting import Acting
from incident.checks import Checks
from incident.details import Details
from incident.measuring import Measuring
from incident.observer import Observer
from incident.options import Options, runbook_folders
from incident.picture import Ranking
from incident.probing import Probing
from incident.record import JournalLedger, Record, begin_record
from incident.suggest import suggest_path
from incident.walking import Walking
from runbooks.loader import Library
from runbooks.matcher import Matcher
from timeline.entry import Draft, Entry
from timeline.note import parse_note
from triage.engine import Triage
from triage.finding import Symptom
from triage.sources import Sources

NO_CLUSTER = "there is no connection to a cluster"


class Parts:
    """Everything below an investigation, made once; the cluster's parts come when the kubeconfig has been read."""

    def __init__(self, options: Options, clock: Callable[[], datetime]) -> None:
        self.options = options
        self.clock = clock
        self.library = Library(runbook_folders(options.runbook_folders, options.config))
        self.matcher = Matcher(self.library)
        self.engine = Triage(clock)
        self.ranking = Ranking(self.matcher.match_symptom)
        self.record = Record(None, "opening", clock)
        self.observer = Observer()
        self.live: LiveCluster | None = None
        self.measuring: Measuring | None = None
        self.probing: Probing | None = None
        self.acting: Acting | None = None
        self.walking = Walking(self.record, self.library, self.checks, self.suggest, clock)
        self.details = Details(lambda: self.api, lambda: self.record)

    @classmethod
    def load(cls, options: Options, clock: Callable[[], datetime]) -> Parts:
        parts = cls(options, clock)
        parts.matcher.match_words("warm up")  # builds the word index here, in a thread, and not at the first keystroke
        return parts

    # -- record

    def open_record(self, context: str, server: str) -> None:
        """Open the incident's file; what was noted before goes into it. Called again with the context once that is known."""
        if self.record.journal is None:
            self.record.adopt(begin_record(self.options, context, server, self.clock))
        else:
            self.record.join(context, server, self.options)
        self.observer = Observer(self.record.by_record())

    def note(self, text: str, now: datetime) -> Entry:
        """Raises ValueError with a sentence for a time that cannot be read."""
        return self.record.append(parse_note(text, now).draft())

    def draft(self) -> str:
        from timeline.export import to_markdown

        if self.record.journal is None:
            return "No record is kept, so there is no draft.\n"
        return to_markdown(self.record.journal)

    def export(self) -> str:
        from timeline.export import write_draft

        if self.record.journal is None:
            raise RuntimeError("no record is kept, so there is nothing to export")
        written = write_draft(self.record.journal, self.record.journal.path.with_suffix(".md"))
        return str(written.conflict or written.path)

    # -- cluster

    @property
    def api(self) -> Api | None:
        return self.live.api if self.live is not None else None

    def load_access(self) -> Access:
        """Blocking; raises `KubeconfigError`."""
        return load_access(self.options.context, explicit=self.options.kubeconfig)

    def watch(self, access: Access, *, on_loaded: Callable[[], None]) -> LiveCluster:
        """The live state of the cluster, and the probes and actions that work on it."""
        self.live = LiveCluster(access, namespaces=self.options.namespaces, clock=self.clock, on_loaded=on_loaded)
        self.measuring = Measuring(self.live, self.clock)
        ledger = JournalLedger(self.record, self._earlier())
        self.probing = Probing(self.live, self.record, ledger, self.walking, self.clock)
        self.acting = Acting(self.live, self.record, self.walking, self.clock, write=self.options.write)
        return self.live

    def suggest(self, symptom: Symptom | None) -> dict[str, str]:
        """Values for parameters that a symptom alone cannot give: between which namespaces a connection should be measured."""
        path = suggest_path(self.live.store, symptom) if self.live is not None else None
        return {"source_namespace": path.source, "target_namespace": path.target} if path is not None else {}

    def measured(self) -> Sources | None:
        return self.measuring.sources if self.measuring is not None else None

    async def measure(self) -> None:
        if self.measuring is not None:
            await self.measuring.run()

    def checks(self) -> Checks:
        store = self.live.store if self.live is not None else Store()
        return Checks(self.api, store, self.clock, self._heard)

    def probes(self) -> Probing:
        if self.probing is None:
            raise RuntimeError(NO_CLUSTER)
        return self.probing

    def actions(self) -> Acting:
        if self.acting is None:
            raise RuntimeError(NO_CLUSTER)
        return self.acting

    async def sweep_leftovers(self) -> None:
        """What an earlier run left in the cluster is removed as soon as the server answers, and the record says so."""
        if self.probing is None:
            return
        for sentence in await self.probing.sweep_at_start():
            self.record.append(Draft(kind="session", text=sentence, data={"event": "sweep"}))

    def _heard(self, kind: str) -> datetime | None:
        freshness: Freshness | None = self.live.freshness().get(kind) if self.live is not None else None
        return freshness.heard if freshness is not None else None

    def _earlier(self) -> tuple[Path, ...]:
        """Files of the newest other incidents: their open rows name what may still be in a cluster."""
        directory = self.options.state / "incidents"
        own = self.record.journal.path if self.record.journal is not None else None
        files = sorted(directory.glob("*.db"), key=lambda path: path.stat().st_mtime, reverse=True) if directory.is_dir() else []
        return tuple(path for path in files if path != own)[:20]
