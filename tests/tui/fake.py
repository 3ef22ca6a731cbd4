"""A whole investigation without a cluster, for tests of the screens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from msgspec.structs import replace as replace_struct

from actions.plan import ActionPlan, ActionResult
from cluster.kube import objects as k
from cluster.kube.kinds import KINDS
from cluster.kube.objects import Ref
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store, StoreUpdate
from incident.activities import Activities
from incident.cadence import Cadence
from incident.offers import Offer, offers
from incident.offline.elsewhere import ContextChoice, Incident
from incident.other_kinds import Item, ItemStatus, OtherKind, OtherObject, ServerTable
from incident.pod_logs import LogQuery, LogRow
from incident.record import Record, RecordUnavailable
from incident.view import ApiView, Connection, HopView, RecordView, SymptomView, View
from incident.walkthrough.runs import Runs
from incident.walkthrough.walkthrough import Walkthrough
from probes.context import Progress
from probes.result import (
    ProbePlan,
    ProbeResult,
)
from runbooks.match import Match, Reason
from runbooks.model import Runbook
from tests.tui import story, story_runbook, story_triage
from tests.tui.fake_engine import Actions, Books, Checks, Probes, Values
from timeline.entry import Entry, NewEntry
from timeline.note import parse_note
from timeline.selection import VIEWS
from timeline.summary import ClusterId, Summary
from triage.facts.finding import Gap, Report
from triage.facts.measurements import NodeUsage
from triage.logs.log_line import Level

SCENES = (
    "story",
    "healthy",
    "loading",
    "lost",
    "lost-at-start",
    "forbidden",
    "nothing-readable",
    "refused",
    "offline",
    "hostile",
)
SEEN = "sha256:4f1e8b0c on 8 nodes\nsha256:9fb2c7d0 on node-2"
"""What a check sees."""
HOSTILE = (
    "[/x] [@click=app.leave]click[/] \x1b]52;c;ZXZpbA==\x07 \x1b[2J \x9b31m \u202egnp.exe 漢字かな "
    "e\u0301\u0301 [bold"
)


class FakeInvestigation:
    """Implements `incident.api.Investigation` from the data of `story`; `calls` is what the screens
    asked for."""

    def __init__(
        self, scene: str = "story", write: bool = False, moving_clock: bool = False
    ) -> None:
        self.scene, self.write = scene, write
        self.cadence = Cadence()
        self.refusal = ""
        """Why the disk refuses entries, until `taken` is set."""
        self.taken = asyncio.Event()
        self._refused: list[Entry] = []
        self.words_read = asyncio.Event()
        """Until it is set, words cannot be ranked."""
        self.words_read.set()
        self.store = Store()
        self.calls: list[tuple[str, object]] = []
        self.saved_views: dict[str, str] = {}
        self._listeners: list[Callable[[View], None]] = []
        self._change_listeners: list[Callable[[Sequence[StoreUpdate]], None]] = []
        self._started = datetime.now(UTC)
        self._moving = moving_clock
        self.record = Record(self.clock)
        self.activities = Activities(self.clock, lambda: self.publish())
        self.runs = Runs(self.record, Books(self), Values(), lambda: self.view.symptoms)
        self.walkthrough = Walkthrough(
            self.runs,
            lambda: Checks(HOSTILE if self.scene == "hostile" else SEEN),
            lambda: Probes(self),
            lambda: Actions(self),
            self.under_way,
        )
        self._version = 0
        self._revision = 100
        self._seed()
        self.view = self._make()

    def clock(self) -> datetime:
        return story.NOW + (datetime.now(UTC) - self._started) if self._moving else story.NOW

    # -- the view

    def _seed(self) -> None:
        if self.scene not in ("lost-at-start", "offline", "nothing-readable", "refused"):
            story.fill(self.store)
        for minutes, kind, text in (
            (8.2, "session", "stanch opened on prod-eu1, read-only"),
            (
                8,
                "observation",
                "connections refused to marketplace: 7 pods not ready, all on node-2",
            ),
            (7.9, "match", "network-policy-cni-version-skew leads with 0.91"),
            (5, "note", "paged by shop-errors; support confirms"),
        ):
            self._record(kind, text, story.at(minutes))

    def _record(self, kind: str, text: str, at: datetime | None = None, **more: object) -> Entry:
        return self.record.append(
            NewEntry(kind=kind, text=text, occurred_at=at or self.clock(), **more)  # type: ignore[arg-type]  # test data
        )

    def _kinds(self) -> tuple[Freshness, ...]:
        heard = self.clock() - timedelta(seconds=2)
        kinds = []
        for kind in KINDS:
            state, reason, expected, count, said = (
                WatchState.LIVE,
                "",
                None,
                self.store.count(kind.name),
                heard,
            )
            if self.scene == "lost":
                state, reason, said = WatchState.STALE, "the server does not answer", story.at(1.5)
            elif self.scene in ("lost-at-start", "offline", "refused"):
                state, count = WatchState.WAITING, 0
            elif self.scene == "nothing-readable":
                state, count, reason = WatchState.FORBIDDEN, 0, "HTTP 403"
            elif self.scene == "loading":
                state, expected, count = (
                    (WatchState.LOADING, 10_000, 3_500)
                    if kind.name == "Pod"
                    else (WatchState.WAITING, None, 0)
                )
            elif self.scene == "forbidden" and kind.name in ("Secret", "NetworkPolicy"):
                state, reason = (
                    WatchState.FORBIDDEN,
                    f'User "sam" cannot list resource {kind.plural!r}: ask for the view role',
                )
            elif kind.name == "PodDisruptionBudget":
                state = WatchState.ABSENT
            kinds.append(
                Freshness(
                    kind.name,
                    state,
                    count,
                    expected,
                    said if state in (WatchState.LIVE, WatchState.STALE) else None,
                    reason,
                )
            )
        return tuple(kinds)

    def _make(self) -> View:
        self._version += 1
        scene = self.scene
        report: Report | None = story_triage.report()
        symptoms: tuple[SymptomView, ...] = (
            tuple(SymptomView(s, story_triage.matches()[s.id]) for s in report.symptoms)
            if report
            else ()
        )
        api = ApiView(
            Connection.LIVE,
            story.at(9),
            heard=self.clock(),
            requests_per_minute=12,
            clock_offset=0.1,
            hops=(
                HopView("DNS", True, 0.004, "api.prod-eu1 is 10.0.0.1"),
                HopView("TCP", True, 0.011, "10.0.0.1:6443"),
                HopView("TLS", True, 0.021, "certificate valid until 2027-03-01"),
                HopView("HTTP", True, 0.03, "kube-apiserver"),
                HopView("readyz", True, 0.031, "ok"),
            ),
        )
        problem = ""
        if scene == "healthy":
            report, symptoms = Report(story.NOW, True, (), (), (), ()), ()
        elif scene == "forbidden" and report:
            report = replace(
                report,
                complete=False,
                unavailable=(
                    Gap("secrets", 'User "sam" cannot list resource "secrets"'),
                    Gap("network policies", "forbidden"),
                ),
            )
        elif scene == "nothing-readable":
            report, symptoms = Report(story.NOW, False, (Gap("nodes", "HTTP 403"),), (), (), ()), ()
        elif scene in ("loading", "lost-at-start", "offline", "refused"):
            report, symptoms = None, ()
        if scene == "loading":
            api = ApiView(Connection.CONNECTING, self.clock() - timedelta(seconds=3))
        if scene in ("lost", "lost-at-start"):
            api = ApiView(
                Connection.LOST,
                story.at(1.5),
                "TCP: no answer from 10.0.0.1:6443 within 3 s. Is the VPN up?",
                story.at(1.5) if scene == "lost" else None,
                (
                    HopView("DNS", True, 0.004, "api.prod-eu1 is 10.0.0.1"),
                    HopView("TCP", False, 3.0, "no answer from 10.0.0.1:6443 within 3 s"),
                    HopView("TLS", None, None, ""),
                    HopView("HTTP", None, None, ""),
                    HopView("readyz", None, None, ""),
                ),
            )
        if scene in ("refused", "nothing-readable"):
            api = ApiView(
                Connection.DEGRADED,
                story.at(1),
                "The API server refuses the credentials (HTTP 401). Log in again. " * 4,
            )
        if scene == "offline":
            api = ApiView(Connection.OFFLINE, story.at(1))
            problem = (
                "No kubeconfig was found: neither KUBECONFIG nor ~/.kube/config. Set KUBECONFIG, "
                "or try `stanch drill`."
            )
        if scene == "hostile" and report:
            symptoms = tuple(
                SymptomView(
                    replace(
                        s.symptom,
                        title=HOSTILE + s.symptom.title,
                        shared=tuple(replace(a, value=HOSTILE) for a in s.symptom.shared),
                        findings=tuple(replace(f, claim=HOSTILE) for f in s.symptom.findings),
                    ),
                    tuple(
                        replace(m, title=HOSTILE, for_=(Reason(HOSTILE * 50),)) for m in s.matches
                    ),
                )
                for s in symptoms
            )
        name = (
            "no cluster" if scene == "offline" else (HOSTILE if scene == "hostile" else "prod-eu1")
        )
        return View(
            self._version,
            self.clock(),
            name,
            "" if scene == "offline" else "https://api.prod-eu1:6443",
            self.write,
            (),
            api,
            self._kinds(),
            report,
            symptoms,
            RecordView(
                "2026-11-21-a",
                len(self.entries()),
                "refused" if self._refused else "ok",
                self.refusal,
                "ab12" * 16,
                refused=len(self._refused),
            ),
            self.activities.now(),
            problem,
        )

    def publish(self) -> None:
        """Gives a new view to all listeners."""
        self.view = self._make()
        for listener in list(self._listeners):
            listener(self.view)

    def change(self, kind: str, *objects: object) -> None:
        """Put objects into the store and notify the listeners of rows."""
        fresh: list[Any] = []
        for each in objects:
            self._revision += 1
            metadata = replace_struct(each.metadata, resource_version=str(self._revision))  # type: ignore[attr-defined]  # test data
            fresh.append(replace_struct(each, metadata=metadata))  # type: ignore[type-var]  # test data
        changes = self.store.apply(kind, fresh)
        for listener in list(self._change_listeners):
            listener(changes)

    def subscribe(self, listener: Callable[[View], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def watch_changes(
        self, listener: Callable[[Sequence[StoreUpdate]], None]
    ) -> Callable[[], None]:
        self._change_listeners.append(listener)
        return lambda: self._change_listeners.remove(listener)

    async def start(self) -> None:
        self.calls.append(("start", None))

    async def stop(self) -> None:
        self.calls.append(("stop", None))

    async def contexts(self) -> Sequence[ContextChoice]:
        return [
            ContextChoice("prod-eu1", "prod", "sam", "", True, True),
            ContextChoice("staging-eu1", "staging", "sam", "shop", False, False),
        ]

    async def incidents(self) -> Sequence[Incident]:
        cluster = ClusterId("staging-eu1")
        before = Incident(
            id="2026-11-20-b",
            path=Path("2026-11-20-b.db"),
            summary=Summary(title="checkout slow", cluster=cluster),
            last_at=story.at(60 * 24),
            entries=12,
            state="resolved",
        )
        return [Incident(id="2026-11-21-a", path=Path("2026-11-21-a.db")), before]

    def another(self, context: str, incident: str) -> FakeInvestigation:
        self.calls.append(("another", (context, incident)))
        return FakeInvestigation(self.scene)

    def give_way(self) -> None:
        self.calls.append(("give_way", None))

    def retry_now(self) -> None:
        self.calls.append(("retry", None))

    # -- runbooks

    async def read_words(self) -> None:
        self.calls.append(("read_words", None))
        await self.words_read.wait()

    def match_words(self, text: str) -> Sequence[Match]:
        words = text.lower()
        known = {
            "network-policy-cni-version-skew": ("refused", "policy", "node"),
            "coredns-oom": ("dns", "resolve", "coredns"),
            "ingress-controller-oom": ("502", "ingress", "oom"),
        }
        found = []
        for runbook in self.runbooks():
            hits = [word for word in known.get(runbook.id, ()) if word in words]
            if hits:
                found.append(
                    Match(
                        runbook.id,
                        runbook.title,
                        min(0.95, 0.4 + 0.25 * len(hits)),
                        len(hits) > 1,
                        tuple(Reason(f"the words “{hit}”") for hit in hits),
                        (Reason("image of the agent on each node", step="drift"),),
                    )
                )
        return sorted(found, key=lambda match: -match.score)

    def runbooks(self) -> Sequence[Runbook]:
        return (story_runbook.runbook(), *story_runbook.other_runbooks())

    @contextlib.asynccontextmanager
    async def under_way(self, key: str, title: str) -> AsyncIterator[Progress]:
        if key.startswith("run-"):
            self.calls.append(("do", key.partition("/")[2]))
        async with self.activities.under_way(key, title) as detail:
            yield detail

    # -- probes and actions

    async def plan_probe(self, name: str, arguments: Mapping[str, str]) -> ProbePlan:
        return await Probes(self).plan(name, arguments)

    async def run_probe(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        return await Probes(self).run(plan, progress)

    async def plan_action(self, name: str, arguments: Mapping[str, str]) -> ActionPlan:
        return await Actions(self).plan(name, arguments)

    async def run_action(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Progress = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        return await Actions(self).run(plan, typed, progress, stopped)

    def offers(self, ref: Ref) -> Sequence[Offer]:
        return offers(self.store, ref)

    read_only_reason = ""

    def set_write(self, allowed: bool) -> str:
        self.calls.append(("write", allowed))
        return ""

    # -- objects

    async def other_kinds(self) -> Sequence[OtherKind]:
        return [OtherKind("Widget", "widgets", "example.com/v1", short_names=("wd",))]

    async def other_rows(self, kind: OtherKind) -> ServerTable:
        self.calls.append(("other_rows", kind.name))
        refs = (Ref("Widget", "shop", "blue"),)
        return ServerTable(
            ("Namespace", "Name", "WatchState"), (("shop", "blue", "Stuck"),), refs=refs
        )

    async def other_object(self, ref: Ref, kind: OtherKind | None) -> OtherObject:
        self.calls.append(("other_object", ref))
        stalled = k.Condition(type="Ready", status="False", reason="Stalled", message="no backend")
        meta = k.LeanMeta(
            name=ref.name,
            namespace=ref.namespace,
            uid="uid-blue",
            creation_timestamp=story.at(600),
            owner_references=(k.OwnerReference("Gadget", "big", "uid-big", controller=True),),
        )
        item = Item(metadata=meta, status=ItemStatus((stalled,)))
        return OtherObject(item, (("status.phase", "Stuck"),), f"kind: {ref.kind}\n")

    def node_usage(self, name: str) -> NodeUsage | None:
        return NodeUsage(name, cpu_cores=1.5, memory_bytes=6 << 30) if name == "node-2" else None

    async def object_yaml(self, ref: Ref) -> str:
        if self.scene in ("lost", "offline"):
            return (
                f"{ref} could not be read: the API server does not answer. The last known fields "
                "are in the summary."
            )
        annotation = HOSTILE if self.scene == "hostile" else "ok"
        return (
            f"apiVersion: v1\nkind: {ref.kind}\nmetadata:\n  name: {ref.name}\n"
            f"  namespace: {ref.namespace}\n  annotations:\n    note: {annotation!r}\n"
            f"spec:\n  containers:\n  - name: app\n    image: registry.local/app:1.4.2\n"
            + "".join(f"  - key{i}: value\n" for i in range(60))
        )

    async def logs(self, query: LogQuery) -> AsyncGenerator[Sequence[LogRow], None]:
        self.calls.append(("logs", query))
        before = "previous " if query.previous else ""
        for start in range(0, 5 if query.previous else 120, 40):
            rows = []
            for index in range(start, min(start + 40, 5 if query.previous else 120)):
                text = f"{before}GET /catalog/{index} 502 upstream connect error"
                text = HOSTILE if self.scene == "hostile" else text
                at = datetime(2026, 11, 21, 3, 8 + index // 60, index % 60, tzinfo=UTC)
                level = Level.ERROR if index % 10 == 0 else Level.INFO
                rows.append(LogRow(at, f"{query.pods[0].name}/app", text, level))
            yield rows
            await asyncio.sleep(0)
        if self.scene == "hostile":
            yield [LogRow(None, "", "x" * 1_000_000)]

    # -- record

    def note(self, text: str, about: Sequence[Ref] = (), *, from_yaml: bool = False) -> Entry:
        entry = self.record.append(parse_note(text, self.clock()).draft())
        self.publish()
        return entry

    def redacted(self, text: str) -> str:
        return self.record.redact(text)

    def views(self) -> Mapping[str, str]:
        return {**VIEWS, **self.saved_views}

    def save_view(self, name: str, text: str) -> None:
        self.saved_views[name] = text

    async def brief(self) -> str:
        return "2026-11-21-a  the hand-off brief\n"

    def entries(self) -> Sequence[Entry]:
        return self.record.entries()

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        if not self.refusal:
            return entry
        if again:
            await self.taken.wait()
            return entry
        self._refused.append(entry)
        self.publish()
        raise RecordUnavailable(self.refusal)

    async def begin_incident(self) -> None:
        self.calls.append(("begin_incident", None))

    def rename_incident(self, title: str) -> Entry:
        self.calls.append(("rename", title))
        return self._record("note", f"renamed: {title}", time_source="human")

    def set_severity(self, severity: str) -> Entry:
        self.calls.append(("severity", severity))
        return self._record("note", f"severity: {severity}", time_source="human")

    def close_incident(self, reason: str) -> Entry:
        return self._record("incident-closed", reason, time_source="human")

    def reopen_incident(self, reason: str) -> Entry:
        return self._record("incident-reopened", reason, time_source="human")

    def revise(self, entry: Entry, action: str, text: str = "") -> Entry:
        revision = self.record.revise(entry, action, text)
        self.publish()
        return revision

    def conclude_change(self, intent: Entry, seen: str) -> Entry:
        return self._record("note", f"{intent.text}: {seen}", time_source="human")

    def unrecorded(self) -> Sequence[Entry]:
        return self._refused

    async def evidence(self, sha256: str) -> str:
        return "sha256:9fb2c7d0 on node-2"

    async def draft(self) -> str:
        lines = "\n".join(f"- {e.occurred_at:%H:%M:%S} {e.text}" for e in self.entries())
        head = (
            "# Incident 2026-11-21-a (preliminary)\n\n## Impact\n\n_Who noticed what, from when "
            "to when?_"
        )
        return (
            f"{head}\n\n## Timeline (UTC)\n\n{lines}\n\n## Contributing factors\n\n- [ ] image "
            "tag `latest` on a DaemonSet\n"
        )

    async def export(self) -> str:
        return "/tmp/incidents/2026-11-21-a.md: a new draft"
