"""The runs of an incident, folded from its record, so that a run continues after a restart."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, Protocol

from cluster.kube.objects import Ref
from incident.record import Record
from incident.view import SymptomView
from incident.walkthrough.folded_run import FORMER_REPLICAS, WRITER, Run, workload_key
from incident.walkthrough.live_values import Workload
from incident.walkthrough.run import RunView, StepState
from runbooks import steps
from runbooks.model import Runbook, Step
from runbooks.parameters import Candidates, SelectingSymptom, names
from timeline.entry import Capture, Entry, NewEntry
from triage.facts.finding import ChangeFact, Finding, Symptom

_OF_WORKLOADS = {FORMER_REPLICAS, "replicas", "container", "amount"}
"""Parameters that the workload of a step gives, or for which it shows what is there now."""
_DAY = timedelta(days=1)
"""Changes longer before a symptom are not quoted."""


class LiveValues(Protocol):
    """Reads from the live state the parameters that no symptom supplies."""

    def suggest(self, symptom: Symptom | None) -> Mapping[str, str]:
        """Values by parameter name."""
        ...

    def workload(self, namespace: str, workload: str) -> Workload | None:
        """The workload `kind/name`, None when it is not known."""
        ...

    def missing(self, name: str, value: str, namespace: str) -> str:
        """One sentence when a parameter names an object that does not exist, else ""."""
        ...

    def cordoned(self) -> Sequence[str]:
        """The names of the nodes that are cordoned now."""
        ...

    def named(self, name: str) -> Sequence[tuple[str, str]]:
        """(namespace, kind/name) of the workloads with a name."""
        ...


class RunbookSource(Protocol):
    """The runbooks that are known now."""

    @property
    def runbooks(self) -> Sequence[Runbook]: ...

    def get(self, runbook_id: str) -> Runbook | None: ...


class Runs:
    """Every run of one incident. Writes entries and folds them, also those of earlier and other
    programs."""

    def __init__(
        self,
        record: Record,
        library: RunbookSource,
        live: LiveValues,
        symptoms: Callable[[], Sequence[SymptomView]],
    ) -> None:
        self._record = record
        self._library = library
        self._live = live
        self._symptoms = symptoms
        self._runs: dict[str, Run] = {}
        self._folded: set[str] = set()
        """Ids of the folded entries."""
        self._read: Sequence[Entry] | None = None
        """The record's entries at the last fold."""

    def reset(self) -> None:
        """The record changed to another one: forget its runs."""
        self._runs, self._folded = {}, set()

    def open(self, runbook_id: str, symptom_id: str = "") -> Run:
        """Continue the run of this runbook, or begin it. A runbook has one run in an incident, also
        when it is opened from another symptom. Without a symptom (from words or from the list of
        runbooks) it begins with the one that it fits best, which gives its parameters. Raises
        KeyError for an unknown runbook."""
        runbook = self._library.get(runbook_id)
        if runbook is None:
            raise KeyError(
                f"there is no runbook {runbook_id!r}; `stanch runbooks list` names them all"
            )
        symptom = next(
            (each.symptom for each in self._symptoms() if each.symptom.id == symptom_id), None
        )
        known = [run for run in self.all() if run.runbook.id == runbook_id]
        if not known:
            return self._begin(runbook, symptom or self._fitting(runbook_id))
        run = known[0]
        run.runbook, run.shown = runbook, None
        if symptom is not None and symptom.id != run.symptom_id:
            self.write(
                NewEntry(
                    kind="note",
                    text=f"runbook {runbook.id} opened for: {symptom.title}",
                    run_id=run.id,
                    data={
                        "event": "opened",
                        "symptom": symptom.id,
                        "symptom_title": symptom.title,
                    },
                )
            )
        self._refresh_evidence(run)
        return run

    def _fitting(self, runbook_id: str) -> Symptom | None:
        """The symptom that a runbook fits best, None when it fits none."""
        fitting: list[tuple[float, Symptom]] = [
            (match.score, view.symptom)
            for view in self._symptoms()
            for match in view.matches
            if match.id == runbook_id
        ]
        return max(fitting, key=itemgetter(0))[1] if fitting else None

    def preview(self, runbook_id: str, symptom_id: str) -> RunView | None:
        """The run of a runbook, or a run as it would begin, without recording it. None for an
        unknown runbook."""
        runbook = self._library.get(runbook_id)
        if runbook is None:
            return None
        known = next((run for run in self.all() if run.runbook.id == runbook_id), None)
        if known is None:
            known = Run("", runbook, runbook.digest, symptom_id=symptom_id)
            known.symptom_ids[symptom_id] = ""
            self._refresh_evidence(known)
        return known.view()

    def _begin(self, runbook: Runbook, symptom: Symptom | None) -> Run:
        run_id = f"run-{secrets.token_hex(4)}"
        self._runs[run_id] = Run(run_id, runbook, runbook.digest, runbook.text)
        self.write(
            NewEntry(
                kind="run-started",
                text=f"runbook {runbook.id} opened" + (f" for: {symptom.title}" if symptom else ""),
                run_id=run_id,
                phase="diagnose",
                captures=(
                    Capture(
                        content=runbook.text.encode(),
                        source=runbook.path.name,
                        media_type="text/markdown",
                    ),
                ),
                data={
                    "runbook": runbook.id,
                    "digest": runbook.digest,
                    "origin": runbook.origin,
                    "symptom": symptom.id if symptom else "",
                    "symptom_title": symptom.title if symptom else "",
                },
            )
        )
        run = self._runs[run_id]
        self._refresh_evidence(run)
        return run

    def all(self) -> Sequence[Run]:
        """Every run of the incident with a known runbook, newest first."""
        self._fold()
        return list(reversed(self._runs.values()))

    def run(self, run_id: str) -> Run:
        """Raises KeyError."""
        self._fold()
        if run_id not in self._runs:
            raise KeyError(f"there is no run {run_id!r} in this incident")
        run = self._runs[run_id]
        self._refresh_evidence(run)
        return run

    def step(self, run_id: str, step_id: str) -> Step:
        """Raises KeyError."""
        runbook = self.run(run_id).runbook
        step = runbook.step(step_id)
        if step is None:
            raise KeyError(f"runbook {runbook.id} has no step {step_id!r}")
        return step

    def missing(self, run: Run, name: str, value: str) -> str:
        """One sentence when a parameter names an object that does not exist, else ""."""
        step = run.runbook.step(run.current)
        namespace = run.values(step).get("namespace", "") if step is not None else ""
        return self._live.missing(name, value, namespace)

    def write(self, draft: NewEntry) -> Entry:
        """Record an entry of a run and fold it."""
        entry = self._record.append(draft)
        self.take(entry)
        return entry

    def take(self, entry: Entry) -> None:
        """Fold an entry that was written elsewhere, once."""
        if entry.id in self._folded:
            return
        self._folded.add(entry.id)
        if entry.run_id in self._runs:
            self._runs[entry.run_id].take(entry)

    def asked(self, run_id: str, step_id: str) -> dict[str, Any]:
        """The fields of an intent that keep what a step was done with. {} outside a run."""
        if not run_id:
            return {}
        run = self.run(run_id)
        step = run.runbook.step(step_id)
        return {"parameters": run.values(step)} if step is not None else {}

    def answered(self, run_id: str, step_id: str, answer: str, state: StepState) -> dict[str, str]:
        """The fields of a result that continue the run: the answer, the state of the step, its
        meaning by the runbook, and where it leads. {} outside a run."""
        if not run_id:
            return {}
        run, step = self.run(run_id), self.step(run_id, step_id)
        declared = steps.answer_for(step, answer)
        values = run.values(step)
        return {
            "answer": answer,
            "state": state.value,
            "expected": steps.fill(step.expected, values),
            "section": step.section,
            "meaning": steps.fill(declared.means, values) if declared else "",
            "goto": declared.goto if declared else "",
        }

    def _fold(self) -> None:
        """Fold new entries of the record: those from before a restart, and those of another program
        on the same incident."""
        entries = self._record.by_record()
        if entries is self._read:
            return
        self._read = entries
        for entry in entries:
            if entry.id in self._folded:
                continue
            if entry.kind == "run-started" and entry.run_id not in self._runs:
                runbook = self._library.get(str(entry.data.get("runbook", "")))
                if runbook is None:
                    continue
                self._runs[entry.run_id] = Run(
                    entry.run_id,
                    runbook,
                    str(entry.data.get("digest", "")),
                    self._record.runbook_text(entry.run_id),
                )
            self.take(entry)

    def found(self, run: Run) -> tuple[list[Finding], list[ChangeFact]]:
        """Findings, and changes of the day before them, of the symptoms from which the run was
        opened and those that the runbook surely fits as well, or of all symptoms."""
        symptoms = [
            view.symptom
            for view in self._symptoms()
            if not run.symptom_ids
            or view.symptom.id in run.symptom_ids
            or any(match.id == run.runbook.id and match.confident for match in view.matches)
        ]
        changes = [
            change
            for symptom in symptoms
            for change in symptom.changes
            if symptom.since is None or symptom.since - change.at <= _DAY
        ]
        return [finding for symptom in symptoms for finding in symptom.findings], changes

    def about(self, ref: Ref) -> list[Runbook]:
        """The runbooks that surely fit a symptom of an object."""
        names = dict.fromkeys(
            view.matches[0].id
            for view in self._symptoms()
            if view.matches
            and view.matches[0].confident
            and (
                ref in view.symptom.objects
                or any(each.object == ref for each in view.symptom.findings)
            )
        )
        found = (self._library.get(name) for name in names)
        return [each for each in found if each is not None]

    def _refresh_evidence(self, run: Run) -> None:
        """The current symptoms, and the findings for which the runbook was selected. When all
        cleared, the last ones stay."""
        symptoms = self._symptoms()
        if run.seen is symptoms:
            return
        run.seen = symptoms
        found = {
            view.symptom.id: _selecting(view, run.runbook.id)
            for view in symptoms
            if view.symptom.id in run.symptom_ids
        }
        if found:
            fitting = (
                _selecting(view, run.runbook.id)
                for view in symptoms
                if any(match.id == run.runbook.id and match.confident for match in view.matches)
            )
            run.evidence, run.candidates = found, Candidates(found.values(), fitting)
        run.shown = None
        last = run.evidence.get(run.symptom_id)
        run.suggested = dict(self._live.suggest(last.symptom if last else None))
        run.cordoned = tuple(self._live.cordoned())
        for step in run.runbook.steps():
            if set(WRITER) & set(names(step)) and (manager := run.manager(step)):
                run.writers[manager] = self._live.named(manager)
            if _OF_WORKLOADS & set(names(step)):
                values = run.values(step)
                key = workload_key(values)
                if key not in run.workloads and (known := self._live.workload(*key)):
                    run.workloads[key] = known


def _selecting(view: SymptomView, runbook_id: str) -> SelectingSymptom:
    """A symptom with the ids of its findings that support the runbook."""
    if all(match.id != runbook_id for match in view.matches):
        return SelectingSymptom(view.symptom, None)
    selected = frozenset(
        finding
        for match in view.matches
        if match.id == runbook_id
        for reason in match.for_
        for finding in reason.findings
    )
    return SelectingSymptom(view.symptom, selected)
