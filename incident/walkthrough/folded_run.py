"""One run of a runbook, folded from the entries of its record.

A step with an intent and no result was interrupted: it is unknown, and is not repeated
automatically.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from incident.view import SymptomView
from incident.walkthrough.live_values import Workload
from incident.walkthrough.run import OpenParameter, RunView, StepOutcome, StepState
from runbooks import steps
from runbooks.model import Runbook, Step
from runbooks.parameters import KIND_OF, Candidates, SelectingSymptom, names, resolve
from timeline.entry import Entry

if TYPE_CHECKING:
    from actions.plan import ActionResult
    from probes.result import ProbeResult

FORMER_REPLICAS = "former_replicas"
"""Parameter: the replicas of a workload before the run changed it."""
WRITER = ("writer_namespace", "writer")
"""Parameters of the workload that writes what fails: never one of those that fail."""
_INTENTS = ("step-intent", "probe-intent", "action-intent")
_RESULTS = ("step-result", "probe-result", "action-result", "step-skipped", "action-declined")


@dataclass(frozen=True, slots=True)
class MadeChange:
    """The last change of a step: the action, and the action that undoes it, with its arguments; ""
    when there is none."""

    action: str
    arguments: Mapping[str, str]
    undo_action: str


@dataclass(slots=True)
class Run:
    """One run in this process. `began_text` is the runbook's text at its start."""

    id: str
    runbook: Runbook
    began_digest: str
    began_text: str = ""
    symptom_id: str = ""
    symptom_ids: dict[str, str] = field(default_factory=dict)
    """Symptoms from which it was opened, with their titles; the last of them in `symptom_id`."""
    evidence: dict[str, SelectingSymptom] = field(default_factory=dict)
    candidates: Candidates = field(default_factory=Candidates)
    typed: dict[str, str] = field(default_factory=dict)
    cordoned: tuple[str, ...] = ()
    """Nodes that are cordoned now."""
    suggested: dict[str, str] = field(default_factory=dict)
    """Values that the live state suggests when neither the symptom nor a person supplies one."""
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    """Values that a step was done with, by step id: they stay when the evidence changes."""
    workloads: dict[tuple[str, str], Workload] = field(default_factory=dict)
    """Workloads as they were when the run first named them, by namespace and kind/name."""
    writers: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """Workloads with the name of a field manager: (namespace, kind/name) of each."""
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)
    changes: dict[str, MadeChange] = field(default_factory=dict)
    """By step id, until they are undone."""
    results: dict[str, ProbeResult | ActionResult] = field(default_factory=dict)
    current: str = ""
    end: str = ""
    seen: Sequence[SymptomView] | None = None
    """The symptoms of the last evidence."""
    shown: RunView | None = None
    """The current view, None after a change until it is made again."""
    _before: dict[str, StepOutcome] = field(default_factory=dict)
    """Outcomes before an undo or a repetition began."""
    _intended: dict[str, MadeChange] = field(default_factory=dict)
    _elsewhere: frozenset[str] = frozenset()
    """The steps that made a change while the run was open for another symptom."""

    def __post_init__(self) -> None:
        first = steps.first(self.runbook)
        self.current = first.id if first else ""

    def take(self, entry: Entry) -> None:
        """Fold one entry of the record into the run. Ignores entries of other runs."""
        if entry.run_id != self.id:
            return
        self.shown = None
        data, step_id = entry.data, entry.step_id
        if entry.kind == "note":
            match data.get("event"):
                case "parameter":
                    name = str(data["name"])
                    self.typed[name], self.seen = str(data["value"]), None
                    for values in self.used.values():
                        values.pop(name, None)
                case "go-to":
                    self.current, self.end = step_id, str(data.get("end", ""))
                case "opened":
                    self._opened_from(data)
        elif entry.kind == "run-started":
            self._opened_from(data)
        elif entry.kind in _INTENTS:
            self._begun(entry)
        elif entry.kind == "action-declined":
            self._declined(entry)
        elif entry.kind in _RESULTS and "state" in data:
            if data.get("undoes"):
                self._undone(entry)
            else:
                self._finished(entry)

    def _opened_from(self, data: Mapping[str, Any]) -> None:
        if self.symptom_id != data.get("symptom", ""):
            self._elsewhere = frozenset(self.changes)
        self.symptom_id, self.seen = str(data.get("symptom", "")), None
        if self.symptom_id:
            self.symptom_ids[self.symptom_id] = str(data.get("symptom_title", ""))

    def _begun(self, entry: Entry) -> None:
        step_id, data = entry.step_id, entry.data
        if isinstance(used := data.get("parameters"), dict):
            self.used[step_id] = {str(name): str(value) for name, value in used.items()}
        if step_id in self.outcomes:
            self._before[step_id] = self.outcomes[step_id]
        if entry.kind == "action-intent" and not data.get("undoes"):
            given = data.get("undo_arguments" if data.get("undo_action") == "undo" else "arguments")
            self._intended[step_id] = MadeChange(
                "what was done by hand" if data.get("by_hand") else str(data.get("action", "")),
                {str(k): str(v) for k, v in dict(given or {}).items()},
                str(data.get("undo_action", "")),
            )
        self.outcomes[step_id] = StepOutcome(
            StepState.UNKNOWN,
            meaning="started, and no result was recorded: check before you repeat it",
            at=entry.occurred_at,
            entry=entry.seq,
        )

    def _declined(self, entry: Entry) -> None:
        """Nothing was sent: the step returns to its earlier state."""
        known = self.outcomes.get(entry.step_id)
        if known is None or known.state is StepState.TODO:
            self.outcomes[entry.step_id] = StepOutcome(
                StepState.TODO, seen=entry.text, at=entry.occurred_at, entry=entry.seq
            )

    def _undone(self, entry: Entry) -> None:
        """A change was undone: the step is open again. A failed undo leaves the step unchanged."""
        step_id, state = entry.step_id, StepState(str(entry.data["state"]))
        before = self._before.pop(step_id, None)
        if state is StepState.FAILED:
            if before is not None:
                self.outcomes[step_id] = before
            return
        if state is StepState.TODO:
            self.changes.pop(step_id, None)
            self.used.pop(step_id, None)
        self.outcomes[step_id] = StepOutcome(
            state,
            seen=entry.text,
            at=entry.occurred_at,
            entry=entry.seq,
            undo=self._undo_of(step_id),
        )
        self.current, self.end = step_id, ""

    def _finished(self, entry: Entry) -> None:
        data, step_id = entry.data, entry.step_id
        answer, seconds = str(data.get("answer", "")), data.get("seconds")
        state = StepState(str(data["state"]))
        made = self._intended.pop(step_id, None)
        if made is not None and state in (StepState.DONE, StepState.UNKNOWN):
            self.changes[step_id] = made
        self.outcomes.pop(step_id, None)
        self.outcomes[step_id] = StepOutcome(
            state=state,
            seen=entry.reason if state is StepState.SKIPPED else entry.text,
            meaning=str(data.get("meaning", "")),
            goto=str(data.get("goto", "")),
            at=entry.occurred_at,
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            entry=entry.seq,
            answer=answer,
            undo=self._undo_of(step_id),
        )
        step = self.runbook.step(step_id)
        if data.get("stopped"):
            self.current, self.end = step_id, ""
        elif step is not None:
            lead = steps.next_step(self.runbook, step, answer)
            self.current = lead.target if lead.lead is steps.Lead.STEP else ""
            self.end = lead.end

    def _undo_of(self, step_id: str) -> str:
        change = self.changes.get(step_id)
        return change.undo_action if change else ""

    def keep(self, step_id: str, result: ProbeResult | ActionResult) -> None:
        """Keep the result of a step's probe or action, to show it while the program runs."""
        self.results[step_id], self.shown = result, None

    # -- parameters

    def values(self, step: Step) -> dict[str, str]:
        """Values of the step's parameters; unknown ones are left out."""
        return {each.name: each.value for each in self.parameters(step) if each.value}

    def parameters(self, step: Step) -> Iterator[OpenParameter]:
        used, kept = self.used.get(step.id, {}), self._kept(step)
        values: dict[str, str] = {}
        for value in resolve(step, self.candidates, self.typed):
            found = OpenParameter(
                value.name, value.value, value.origin, value.choices, value.reasons
            )
            if value.name in used and used[value.name] != value.value:
                found = OpenParameter(value.name, used[value.name], "as it was done")
            elif value.name in kept and value.name not in self.typed:
                found = OpenParameter(value.name, kept[value.name], "as in the change before")
            elif not value.value and not value.choices and value.name not in self.typed:
                found = self._suggested(step, value.name, values) or _told(step, found)
            values[found.name] = found.value
            yield found

    def _kept(self, step: Step) -> Mapping[str, str]:
        """The objects of the last change of this run, when the step is about the same kinds of
        objects: the change may heal what named them, and what is left names others."""
        wanted = {name for name in names(step) if name in KIND_OF or name == "workload"}
        for step_id in reversed(self.outcomes):
            used = self.used.get(step_id, {})
            if step_id not in self.changes or step_id in self._elsewhere or step_id == step.id:
                continue
            if wanted and wanted <= used.keys():
                return {name: used[name] for name in (*wanted, "namespace") if name in used}
        return {}

    def manager(self, step: Step) -> str:
        """The field manager that the step blames, "" when it is not known. A step that only reads
        need not name it."""
        known = resolve(step, self.candidates, self.typed)
        named = next((each.value for each in known if each.name == "manager"), None)
        if named is not None or step.mutates:
            return named or ""
        fits = {fit.value for fit in self.candidates.of("manager")}
        return self.typed.get("manager", fits.pop() if len(fits) == 1 else "")

    def _suggested(self, step: Step, name: str, values: Mapping[str, str]) -> OpenParameter | None:
        if name in WRITER:
            fits = self.writers.get(self.manager(step), ())
            found = tuple(dict.fromkeys(each[WRITER.index(name)] for each in fits))
            return _writer(name, found)
        if name == "cordoned_node" and self.cordoned:
            return OpenParameter(name, "", "cordoned now", self.cordoned)
        if offered := self.suggested.get(name):
            return OpenParameter(name, offered, "suggested by the policies and Ingresses")
        workload = self.workloads.get(workload_key(values))
        if workload is None:
            return None
        replicas = getattr(workload.spec, "replicas", 0)
        if name == FORMER_REPLICAS and replicas:
            return OpenParameter(name, str(replicas), "replicas when this run began")
        if name == "replicas":
            return OpenParameter(name, "", f"it had {replicas} when this run began")
        containers = {each.name: each for each in workload.spec.template.spec.containers}
        if name == "container":
            return _one_of(name, tuple(containers))
        container = containers.get(values.get("container", ""))
        if name == "amount" and container is not None:
            resource = steps.fill(step.args.get("resource", ""), values)
            kind = step.args.get("kind", "")
            now = getattr(container.resources, f"{kind}s", {}).get(resource) or "not set"
            return OpenParameter(name, "", f"the {resource} {kind} is {now} now")
        return None

    # -- showing

    def view(self) -> RunView:
        if self.shown is None:
            self.shown = self._view()
        return self.shown

    def _view(self) -> RunView:
        outcomes = dict(self.outcomes)
        if self.current:
            now = outcomes.get(self.current, StepOutcome(StepState.TODO))
            if now.state is StepState.TODO:
                outcomes[self.current] = replace(now, state=StepState.NOW)
        return RunView(
            id=self.id,
            runbook=self.runbook,
            symptom_id=self.symptom_id,
            symptom_title=self.symptom_ids.get(self.symptom_id, ""),
            parameters=MappingProxyType(
                {step.id: tuple(self.parameters(step)) for step in self.runbook.steps()}
            ),
            outcomes=MappingProxyType(outcomes),
            current=self.current,
            changed_text=self.drift(),
            end=self.end,
            results=MappingProxyType(dict(self.results)),
        )

    def drift(self) -> str:
        """A unified diff from the runbook at the start of the run to the current one, "" when they
        are the same."""
        if self.runbook.digest == self.began_digest or not self.began_text:
            return ""
        lines = difflib.unified_diff(
            self.began_text.splitlines(),
            self.runbook.text.splitlines(),
            "when the run began",
            "now",
            lineterm="",
        )
        return "\n".join(lines)


def workload_key(values: Mapping[str, str]) -> tuple[str, str]:
    """(namespace, kind/name) of the step's workload; "" for what is unknown."""
    if values.get("writer"):
        return values.get("writer_namespace", ""), values["writer"]
    workload = values.get("workload", "")
    for kind in ("deployment", "statefulset", "daemonset") if not workload else ():
        if values.get(kind):
            workload = f"{kind}/{values[kind]}"
    return values.get("namespace", ""), workload


def _told(step: Step, parameter: OpenParameter) -> OpenParameter:
    """A parameter that is not known, with what the step's probe or action says of the argument that
    it alone fills in."""
    argument = next((k for k, text in step.args.items() if text == f"{{{parameter.name}}}"), "")
    if parameter.origin != "not known" or not argument:
        return parameter
    from actions.catalogue import ACTIONS
    from probes.catalogue import PROBES

    probe, action = PROBES.get(step.uses), ACTIONS.get(step.uses)
    known = dict(probe.parameters) if probe else {}
    known |= {each.name: each.meaning for each in action.parameters} if action else {}
    meaning = known.get(argument, "").removeprefix("(required) ")
    return replace(parameter, origin=f"not known; {meaning}" if meaning else parameter.origin)


def _writer(name: str, found: tuple[str, ...]) -> OpenParameter:
    """The workload with the name of the field manager, or its namespace."""
    if len(found) == 1:
        return OpenParameter(name, found[0], "the workload that is called as the manager is")
    if found:
        return OpenParameter(name, "", f"{len(found)} fit: {', '.join(found)}", found)
    return OpenParameter(name, "", "no workload is called as the manager is")


def _one_of(name: str, found: tuple[str, ...]) -> OpenParameter:
    if len(found) == 1:
        return OpenParameter(name, found[0], "the only one of the workload")
    return OpenParameter(name, "", f"{len(found)} fit: {', '.join(found)}", found)
