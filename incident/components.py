"""The components of an investigation, each made when it is first needed.

The order is that of the first minute: the connection and triage come first, because they find what
is wrong; runbooks, record and probes are imported while the first lists are read.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from cluster.kube.text import clean_uncut
from incident.cadence import Cadence
from incident.config import FILE, load_config
from incident.options import Options, runbook_folders
from incident.record import Record
from incident.report.observer import Observer
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Gap, Report

if TYPE_CHECKING:
    from cluster.api.mode import Mode
    from cluster.api.transport import Api
    from cluster.connect.access import Access
    from cluster.kube.objects import Pod, Ref
    from cluster.live.input_priority import InputPriority
    from cluster.live.live_cluster import LiveCluster
    from incident.metrics.definitions import DefinitionsReader
    from incident.metrics.disks import DisksReader
    from incident.metrics.last_words import LastWordsReader
    from incident.metrics.metrics import Metrics
    from incident.object_details import ObjectDetails
    from incident.other_kinds import OtherKinds
    from incident.pod_logs import PodLogs
    from incident.provenance import Provenance
    from incident.report.ranking import Ranking
    from incident.view import SymptomView
    from incident.walkthrough.action_runner import ActionRunner
    from incident.walkthrough.check_inputs import Checks
    from incident.walkthrough.probe_runner import ProbeRunner
    from incident.walkthrough.runners import UnderWay
    from incident.walkthrough.runs import Runs
    from incident.walkthrough.walkthrough import Walkthrough
    from runbooks.loader import Library
    from runbooks.matcher import Matcher
    from timeline.entry import Entry
    from timeline.summary import ClusterId
    from triage.engine import Triage
    from triage.facts.measurements import Sources


class Components:
    """Everything below an investigation. The parts for the cluster exist once the kubeconfig has
    been read."""

    def __init__(
        self,
        options: Options,
        clock: Callable[[], datetime],
        symptoms: Callable[[], Sequence[SymptomView]],
        under_way: UnderWay,
        cadence: Cadence,
    ) -> None:
        """`symptoms` returns those of the last report. `under_way` shows an activity."""
        self.options = options
        self.cadence = cadence
        self._local_clock = clock
        self.symptoms = symptoms
        self.under_way = under_way
        self.record = Record(self.clock)
        self.observer = Observer()
        self.record_known = False
        """Whether the record was opened, or refused: what it holds is not recorded again."""
        self._clock_offset = timedelta()
        self.live: LiveCluster | None = None
        self._provenance: Provenance | None = None
        self.metrics: Metrics | None = None
        self.ranking: Ranking | None = None
        """None until the runbooks have been read."""
        self.write = options.write
        """Whether changes are allowed now, each behind its confirmation."""
        self.fixed = ""
        """Why the settings keep this context read-only, "" where changes may be allowed."""
        self.absent: tuple[Gap, ...] = ()
        """Namespaces that the options name and that do not exist."""
        self._probes: ProbeRunner | None = None

    def clock(self) -> datetime:
        """The time (UTC) by the server's clock, because all times of objects come from it; by the
        local clock until the server has answered."""
        return self.live.api.server_now() if self.live is not None else self._local_clock()

    @cached_property
    def engine(self) -> Triage:
        from triage.engine import Triage

        return Triage(self.clock)

    # -- runbooks

    @cached_property
    def library(self) -> Library:
        from runbooks.loader import Library

        return Library(
            runbook_folders(self.options.runbook_folders, self.options.config), later=True
        )

    @cached_property
    def matcher(self) -> Matcher:
        from runbooks.matcher import Matcher

        return Matcher(self.library)

    def load_runbooks(self) -> None:
        """Read the runbooks (blocking: files, parsing). From then on symptoms are ranked."""
        from incident.report.ranking import Ranking

        self.ranking = Ranking(self.matcher.match_symptom)

    def read_words(self) -> None:
        """Read what ranking words needs (blocking)."""
        self.matcher.match_words("warm up")

    def warm_up(self) -> None:
        """Import what the first step needs (blocking)."""
        _ = self.walkthrough, self.details

    @property
    def ranks(self) -> bool:
        return self.ranking is not None

    def rank(self, report: Report) -> Cooperative[tuple[SymptomView, ...]]:
        """The symptoms with their runbooks; without runbooks until those have been read."""
        if self.ranking is None:
            from incident.view import SymptomView

            return tuple(SymptomView(symptom, (), ranked=False) for symptom in report.symptoms)
        return (yield from self.ranking.rank(report))

    @cached_property
    def runs(self) -> Runs:
        from incident.walkthrough.live_values import StoreValues
        from incident.walkthrough.runs import Runs

        values = StoreValues(lambda: self.live.store if self.live is not None else None)
        return Runs(self.record, self.library, values, self.symptoms)

    @cached_property
    def walkthrough(self) -> Walkthrough:
        from incident.walkthrough.walkthrough import Walkthrough

        return Walkthrough(
            self.runs, self.checks, self.probes, self.actions, self.under_way, self.cadence
        )

    @cached_property
    def details(self) -> ObjectDetails:
        from incident.object_details import ObjectDetails

        return ObjectDetails(lambda: self.api, lambda: self.record, self.cadence.object_limit)

    @cached_property
    def other_kinds(self) -> OtherKinds:
        from incident.other_kinds import OtherKinds

        return OtherKinds(lambda: self.api, self.record.redact, self.cadence.object_limit)

    @cached_property
    def pod_logs(self) -> PodLogs:
        from cluster.kube.objects import Pod
        from incident.pod_logs import PodLogs

        def pod_of(ref: Ref) -> Pod | None:
            found = self.live.store.get(*ref) if self.live is not None else None
            return found if isinstance(found, Pod) else None

        cadence = self.cadence
        redact = self.record.redact
        return PodLogs(lambda: self.api, pod_of, redact, cadence.object_limit, cadence.log)

    # -- record

    def open_record(self, cluster: ClusterId) -> None:
        """Open the incident's file and write what was noted before (blocking). Called again when
        the cluster is known."""
        opened = self.record.journal is not None
        self.record.open(self.options, cluster)
        if not opened:
            self._follow_record()
        self.record_known = True

    def identify(self, cluster: ClusterId) -> None:
        """Set the cluster's uid once it is known (blocking)."""
        if self.record.identify(self.options, cluster):
            self._follow_record()

    def begin_incident(self, cluster: ClusterId) -> None:
        """Leave the incident and begin a new one (blocking)."""
        self.record.begin(self.options, cluster, "a person began a new incident")
        self._follow_record()

    def _follow_record(self) -> None:
        entries = self.record.by_record()
        self.observer = Observer(entries)
        if self._provenance is not None:
            self._provenance.learn(entries)
        self.runs.reset()

    def cluster_uid(self) -> str:
        """The uid of the namespace kube-system, "" until it has been read."""
        namespace = self.live.store.get("Namespace", "", "kube-system") if self.live else None
        return namespace.metadata.uid if namespace is not None else ""

    async def find_absent_namespaces(self) -> None:
        """Note which namespaces of the options do not exist: a misspelt namespace would look
        healthy."""
        from cluster.errors import ClusterError, NotFound

        api = self.api
        if api is None:
            return
        for name in self.options.namespaces:
            try:
                await api.get_json(f"/api/v1/namespaces/{name}", timeout=3.0)
            except NotFound:
                why = "it does not exist; `kubectl get namespaces` names those that do"
                self.absent = (*self.absent, Gap(f"namespace {name}", why))
            except ClusterError:
                continue  # it may not be read, or not now: that says nothing about it

    def limited(self, report: Report) -> Report:
        """The report, with the missing namespaces added to what could not be read."""
        if not self.absent:
            return report
        gaps = (*self.absent, *report.unavailable)
        return msgspec.structs.replace(report, unavailable=gaps, complete=False)

    async def read_cluster_uid(self) -> str:
        """As `cluster_uid`, but requested from the API when namespaces are not watched; "" when it
        may not be read."""
        uid = self.cluster_uid()
        if uid or self.api is None:
            return uid
        from cluster.errors import ClusterError

        try:
            found = await self.api.get_json("/api/v1/namespaces/kube-system", timeout=5.0)
            return str(found["metadata"]["uid"])
        except (ClusterError, KeyError, TypeError):
            return ""

    def note(
        self, text: str, now: datetime, about: Sequence[Ref] = (), *, from_yaml: bool = False
    ) -> Entry:
        """Raises ValueError with a sentence for a time that cannot be read."""
        from incident.provenance import object_refs
        from timeline.note import parse_note

        draft = parse_note(text, now).draft()
        audit_id = self.details.audit_ids.get(about[0], "") if from_yaml else ""
        return self.record.append(
            msgspec.structs.replace(draft, about=object_refs(about), audit_id=audit_id)
        )

    def draft(self) -> str:
        """Blocking."""
        from timeline.export import to_markdown

        if self.record.journal is None:
            return "No record is kept, so there is no draft.\n"
        return to_markdown(self.record.journal)

    def export(self) -> str:
        """Blocking."""
        from timeline.export import write_draft

        if self.record.journal is None:
            raise RuntimeError("no record is kept, so there is nothing to export")
        written = write_draft(self.record.journal, self.record.journal.path.with_suffix(".md"))
        return f"{written.path}: {written.text}"

    def brief(self) -> str:
        """Blocking."""
        from timeline.handoff import handoff

        if self.record.journal is None:
            return "No record is kept, so there is no brief.\n"
        return handoff(self.record.journal, self.clock())

    def observed(
        self, report: Report, symptoms: Sequence[SymptomView], now: datetime
    ) -> Cooperative[None]:
        """Record what is new in a report, one entry in each step: those of 4,000 symptoms take
        0.5 s of CPU. A single reading keeps no record and skips this."""
        if self.options.once and not self.options.record:
            return
        if not (self.options.once or self.record_known):
            return  # the record may hold all of this: the report after its opening is compared
        observer, entries = self.observer, self.record.foreign()
        while True:
            observer.learn(entries)
            for draft in observer.observe(report, symptoms, now):
                if observer is not self.observer:
                    break
                self.record.append(draft)
                yield
            if observer is self.observer:
                break
            # The record was opened meanwhile, in a thread, or another incident began: the rest is
            # for the new observer, which may not know what was recorded just then.
            observer, entries = self.observer, self.record.by_record()
        self._observe_clock()

    def _observe_clock(self) -> None:
        """Record the offset of the server's clock, and each jump of either clock."""
        from cluster.api.transport import CLOCK_TOLERANCE
        from timeline.entry import NewEntry

        offset = self.live.api.clock_offset if self.live is not None else None
        if offset is None or abs(offset - self._clock_offset) <= CLOCK_TOLERANCE:
            return
        seconds, self._clock_offset = offset.total_seconds(), offset
        ahead = "ahead of" if seconds > 0 else "behind"
        text = f"the server's clock is {abs(seconds):.0f} s {ahead} this machine's now"
        data = {"event": "clock", "seconds": round(seconds, 1)}
        self.record.append(NewEntry(kind="session", text=text, data=data))

    # -- cluster

    @property
    def api(self) -> Api | None:
        return self.live.api if self.live is not None else None

    def load_access(self) -> Access:
        """Read the kubeconfig (blocking) and import what the first request needs, so that the event
        loop does not. Raises `KubeconfigError`."""
        from cluster.connect.kubeconfig import load_access

        importlib.import_module("cluster.api.http")
        importlib.import_module("cluster.live.live_cluster")
        return load_access(self.options.context, explicit=self.options.kubeconfig)

    def watch(
        self, access: Access, input_priority: InputPriority, *, on_loaded: Callable[[], None]
    ) -> LiveCluster:
        """The live state of the cluster; reading pauses for key presses (`way`)."""
        from cluster.live.live_cluster import LiveCluster
        from cluster.live.watch_config import WatchConfig

        self.live = LiveCluster(
            access,
            namespaces=self.options.namespaces,
            clock=self._local_clock,
            watch_config=WatchConfig(breath=self.cadence.breath),
            input_priority=input_priority,
            once=self.options.once,
            on_loaded=on_loaded,
        )
        from incident.provenance import Provenance

        self._provenance = Provenance(self.live)
        self.record.complete = self._provenance.complete
        return self.live

    def fix_mode(self, context: str) -> None:
        """Keep a context read-only when the settings say so. Raises `ConfigError`."""
        settings = load_config(self.options.config).contexts.get(context)
        if settings is not None and settings.read_only:
            self.write = False
            self.fixed = f"The context {context} is read-only by the settings ({FILE})."

    def set_write(self, allowed: bool) -> str:
        """Allow changes, or make the session read-only. Changes that were made stay. Returns why
        this is not possible, "" on success."""
        from timeline.entry import NewEntry

        if allowed and self.fixed:
            return self.fixed
        if allowed != self.write:
            self.write = allowed
            text = "changes are allowed from now on" if allowed else "read-only from now on"
            data = {"event": "mode", "write": allowed}
            self.record.append(NewEntry(kind="session", text=text, time_source="human", data=data))
        return ""

    def mode(self) -> Mode:
        from cluster.api.mode import Mode

        return Mode.WRITE if self.write else Mode.READ_ONLY

    def probes(self) -> ProbeRunner:
        """Raises RuntimeError while there is no cluster."""
        if self._probes is None:
            from incident.ledger import JournalLedger
            from incident.walkthrough.probe_runner import ProbeRunner

            ledger = JournalLedger(self.record, self.options.state / "incidents")
            self._probes = ProbeRunner(
                self._connected(),
                self.record,
                ledger,
                self.runs,
                self.clock,
                self.under_way,
                self.cadence,
                self.mode,
            )
        return self._probes

    def actions(self) -> ActionRunner:
        """Raises RuntimeError while there is no cluster."""
        from incident.walkthrough.action_runner import ActionRunner

        live = self._connected()
        return ActionRunner(live, self.record, self.runs, self.clock, self.under_way, self.mode)

    def _connected(self) -> LiveCluster:
        if self.live is None:
            raise RuntimeError("there is no connection to a cluster")
        return self.live

    async def close(self) -> None:
        """Remove what this program created in the cluster."""
        if self._probes is not None:
            await self._probes.close()

    def measured(self) -> Sources | None:
        sources = self.metrics.sources if self.metrics is not None else None
        if "readers" not in self.__dict__:
            return sources
        from msgspec.structs import replace

        from triage.facts.measurements import Sources

        sources = sources or Sources()
        words, definitions, disks = self.readers
        return replace(
            sources,
            last_words=words.sample,
            definitions=definitions.sample,
            disks=disks.sample,
            gaps=(*sources.gaps, *words.gaps()),
        )

    @cached_property
    def readers(self) -> tuple[LastWordsReader, DefinitionsReader, DisksReader]:
        """What is read after a report has asked for it."""
        from incident.metrics.definitions import DefinitionsReader
        from incident.metrics.disks import DisksReader
        from incident.metrics.last_words import LastWordsReader

        live = self._connected()
        words = LastWordsReader(live, self.clock, self.record.redact, self.cadence)
        return words, DefinitionsReader(live, self.clock), DisksReader(live, self.clock)

    async def measure(self, measured: Callable[[], None]) -> None:
        """Measure what objects do not show (`incident.metrics`), until cancelled. `measured` is
        called after each round."""
        if self.live is None:
            return
        from incident.metrics.metrics import Metrics

        self.metrics = Metrics(self.live, self.clock, self.cadence)
        await self.metrics.run(measured)

    def checks(self) -> Checks:
        from cluster.live.store import Store
        from incident.walkthrough.check_inputs import Checks

        store = self.live.store if self.live is not None else Store()
        return Checks(self.api, store, self.clock, self._heard, self.cadence.check_limit)

    async def sweep_leftovers(self) -> None:
        """Remove what an earlier run left in the cluster as soon as the server answers, and record
        it."""
        if self.live is None:
            return
        from timeline.entry import NewEntry

        await asyncio.to_thread(
            importlib.import_module, "incident.walkthrough.probe_runner"
        )  # 0.2 s, for which keys would wait
        known = {entry.text for entry in self.record.by_record() if entry.kind == "session"}
        for sentence in await self.probes().sweep_at_start():
            if sentence not in known:  # leftovers are recorded once
                self.record.append(NewEntry(kind="session", text=sentence, data={"event": "sweep"}))

    def read_picture(self, context: str) -> None:
        """Read what the last incident of the context saw (blocking), for a server that does not
        answer at the start."""
        from timeline.journal.earlier import last_picture

        journal = self.record.journal
        self.record.picture = last_picture(
            self.options.state / "incidents",
            context,
            clean=clean_uncut,
            own=journal.path if journal is not None else None,
        )

    def read_earlier(self) -> None:
        """Read earlier incidents (blocking), for "seen before"."""
        from timeline.journal.earlier import read_earlier

        journal = self.record.journal
        self.record.earlier = read_earlier(
            self.options.state / "incidents",
            clean=clean_uncut,
            own=journal.path if journal is not None else None,
        )

    def _heard(self, kind: str) -> datetime | None:
        freshness = self.live.freshness().get(kind) if self.live is not None else None
        return freshness.heard if freshness is not None else None
