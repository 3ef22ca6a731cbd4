"""Every key in one place: the bindings, the line of keys, the help and the palette are made from
this list."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from textual.binding import Binding, BindingType


class Action(msgspec.Struct, frozen=True):
    """One action of a key.

    `id`: the Textual action, and the name under which it is known. `scope`: the screen on which it
    works, "" for anywhere.
    `label`: one or two words for the bottom line, "" to leave it out there. `help`: one sentence.
    """

    id: str
    key: str
    label: str
    help: str
    scope: str = ""

    @property
    def keys(self) -> str:
        """The first key as people write it."""
        return _NAMES.get(self.key.split(",")[0], self.key.split(",")[0])


_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "escape": "esc",
    "ctrl+p": "ctrl-p",
    "left": "←",
    "right": "→",
    "ctrl+c": "ctrl-c",
    "shift+tab": "shift-tab",
}

ACTIONS: tuple[Action, ...] = (
    # now
    Action(
        "open_runbook", "enter", "runbook", "Open the runbook that fits the chosen symptom.", "now"
    ),
    Action(
        "probe",
        "p",
        "probe",
        "Show the plan of the probe that would tell more; nothing runs before you agree.",
        "now",
    ),
    Action(
        "logs", "l", "logs", "Read the logs of the first failing pod of the chosen symptom.", "now"
    ),
    Action("other_match(1)", "right", "", "Show why the next runbook fits, or does not.", "now"),
    Action("other_match(-1)", "left", "", "Show the runbook before.", "now"),
    # runbook
    Action(
        "run_step",
        "enter",
        "run",
        "Run the chosen step. Probes show their plan first, actions ask.",
        "runbook",
    ),
    Action(
        "run_checks",
        "i",
        "checks of this part",
        "Run the read-only checks of this part of the runbook, one after the other.",
        "runbook",
    ),
    Action("next_step", "right", "next step", "Look at the step to do now.", "runbook"),
    Action("skip_step", "s", "skip", "Skip the step, with a reason for the record.", "runbook"),
    Action(
        "go_to_step",
        "b",
        "from here",
        "Go on from the chosen step: back, again, or ahead. Nothing is undone.",
        "runbook",
    ),
    Action(
        "parameters",
        "e",
        "parameters",
        "See and change what the steps are run with (namespace, node, …).",
        "runbook",
    ),
    Action("read", "v", "read", "Read the whole runbook, with its story.", "runbook"),
    Action(
        "undo_step",
        "u",
        "undo",
        "Take the change of the chosen step back: shown exactly and asked for like every change.",
        "runbook",
    ),
    Action(
        "choose_runbook",
        "c",
        "others",
        "Choose another runbook from the whole catalogue.",
        "runbook",
    ),
    # objects
    Action(
        "open_object",
        "enter",
        "details",
        "Summary, conditions, events, logs, YAML, owners and dependants of the object.",
        "objects",
    ),
    Action(
        "filter",
        "f",
        "filter",
        "Filter the rows: restarts>3 age<1h node=node-2 !ready, or any words.",
        "objects",
    ),
    Action("sort", "s", "sort", "Sort by the next column.", "objects"),
    Action("reverse", "S", "reverse", "Turn the order round.", "objects"),
    Action(
        "kind",
        "g",
        "kind",
        "Choose what to list: pods, nodes, events and all other kinds.",
        "objects",
    ),
    Action("next_kind(1)", "tab", "", "The next kind.", "objects"),
    Action("next_kind(-1)", "shift+tab", "", "The kind before.", "objects"),
    Action("object_logs", "l", "logs", "Read the logs of the chosen pod.", "objects"),
    Action("shift(1)", "right", "", "Columns further to the right.", "objects"),
    Action("shift(-1)", "left", "", "Columns further to the left.", "objects"),
    Action("leave_filter", "escape", "", "Take the filter away; without one, go back.", "objects"),
    # one object
    Action(
        "section(1)",
        "tab,right",
        "next part",
        "Go through summary, events, logs, YAML, owners.",
        "object",
    ),
    Action("section(-1)", "shift+tab,left", "", "The part before.", "object"),
    Action("part('logs')", "l", "logs", "Read the logs.", "object"),
    Action("part('events')", "e", "events", "Events of this object, newest first.", "object"),
    Action(
        "part('yaml')",
        "y",
        "YAML",
        "The object as the server has it, without managedFields, redacted.",
        "object",
    ),
    Action("part('related')", "w", "owners", "Owners and dependants; enter opens one.", "object"),
    Action(
        "previous_logs",
        "v",
        "previous",
        "Logs of the container before its last restart, and back.",
        "object",
    ),
    Action("next_container", "c", "container", "Logs of the next container.", "object"),
    # timeline
    Action(
        "switch_lane",
        "d",
        "log or draft",
        "Switch between the log and the draft of the post-mortem.",
        "timeline",
    ),
    Action(
        "export",
        "x",
        "export",
        "Write the draft beside the record; your own edits in that file are kept.",
        "timeline",
    ),
    # anywhere
    Action("go('now')", "1", "", "Now: what is wrong."),
    Action("go('runbook')", "2", "", "The open runbook."),
    Action("go('objects')", "o,3", "objects", "Tables of everything in the cluster."),
    Action(
        "symptom",
        "slash",
        "symptom",
        "Describe a symptom in words, or paste an alert or an error line.",
    ),
    Action(
        "note", "n", "note", "Take a note: text, -5m text or @14:30 text. Works without a cluster."
    ),
    Action(
        "new_incident",
        "N",
        "",
        "Begin a new incident; the one until now stays as it is.",
    ),
    Action("go('timeline')", "t,4", "timeline", "What was seen, done and noted, beside the draft."),
    Action(
        "connection",
        "a",
        "connection",
        "How far the way to the API server works, and what is known of each kind.",
    ),
    Action("stop", "x", "", "Stop what runs; what it created is removed."),
    Action("retry", "r", "retry now", "Ask the cluster again at once instead of waiting."),
    Action("help", "question_mark", "help", "All keys, and how to read this screen."),
    Action("palette", "ctrl+p", "", "Find anything: an action, a screen, a runbook, an object."),
    Action("back", "escape", "back", "Back to where you came from."),
    Action("leave", "q,ctrl+c", "quit", "Quit; asks only while something runs."),
)

MODES = tuple(
    action.id.removeprefix("go('").removesuffix("')")
    for action in ACTIONS
    if action.id.startswith("go('")
)
"""The screens that a key opens, by name."""

FIRST = ("now", "runbook", "objects", "object", "timeline")
"""The screens in the order in which help lists them."""


def actions_for(scope: str) -> Iterator[Action]:
    """What can be done on a screen: its own first, then what works anywhere."""
    yield from (action for action in ACTIONS if action.scope == scope)
    yield from (action for action in ACTIONS if not action.scope)


def bindings(scope: str) -> list[BindingType]:
    """Textual bindings of a screen ("" for those of the application)."""
    return [
        Binding(
            action.key,
            action.id,
            action.label or action.help,
            show=False,
            priority=action.key.startswith(("tab", "shift+tab")),
        )
        for action in ACTIONS
        if action.scope == scope
    ]
