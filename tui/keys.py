"""Every key in one list: bindings, the line of keys, the help and the palette are made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from incident.config import ConfigError
from text.keys import Keys

if TYPE_CHECKING:  # `stanch config keys` needs no Textual
    from textual.binding import BindingType


class KeyBinding(msgspec.Struct, frozen=True):
    """One action of a key.

    `id`: the Textual action. `label`: one or two words for the bottom line, "" to leave it out
    there. `help`: one sentence. `scope`: the screen on which it works, "" for anywhere.
    """

    id: str
    key: str
    label: str
    help: str
    scope: str = ""

    @property
    def keys(self) -> str:
        """The first key as people write it."""
        return written(self.key.split(",")[0])

    @property
    def name(self) -> str:
        """Its name in the settings, unique on its screen: `note`, `timeline`, `skip_step`."""
        base, _, argument = self.id.rstrip(")").partition("(")
        if argument.startswith("'"):
            return argument.strip("'")
        return f"{base}_back" if argument.startswith("-") else base

    @property
    def binding(self) -> str:
        """Id of its binding, by which another key replaces it."""
        return f"{self.scope}.{self.name}"


_NAMES = {
    "slash": "/",
    "colon": ":",
    "comma": ",",
    "question_mark": "?",
    "escape": "esc",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}
_READ = {shown: key for key, shown in _NAMES.items()}


def written(key: str) -> str:
    """A key of Textual as people write it."""
    return _NAMES.get(key) or re.sub(r"^(ctrl|shift)\+", r"\1-", key)


def read(shown: str) -> str:
    """The key of Textual that `written` wrote."""
    return _READ.get(shown) or re.sub(r"^(ctrl|shift)-", r"\1+", shown)


SEARCH = KeyBinding("search", "slash", "search", "Search in what is shown.")
LEAVE_FILTER = KeyBinding("leave_filter", "escape", "", "Remove the filter; without one, go back.")
LEAVE_TABLE = KeyBinding(
    "leave_filter", "escape", "", "Remove the filter, then the marks; without either, go back."
)
RANGE = KeyBinding("begin", "space", "range", "Begin a range of lines here; again cancels it.")
NOW = (
    KeyBinding(
        "open_runbook", "enter", "runbook", "Open the runbook that fits the chosen symptom."
    ),
    KeyBinding(
        "probe", "p", "probe", "Plan the probe that would add evidence; it runs after you agree."
    ),
    KeyBinding("symptom_objects", "o", "objects", "Open one of the objects of the chosen symptom."),
    KeyBinding("logs", "l", "logs", "Read the logs of the workload that fails."),
    KeyBinding("whole", "z", "more", "Show everything known about the symptom, and back."),
    SEARCH,
    KeyBinding("other_match(1)", "right", "", "Show why the next runbook fits, or does not."),
    KeyBinding("other_match(-1)", "left", "", "Show why the previous runbook fits, or does not."),
)
RUNBOOK = (
    KeyBinding("run_step", "enter", "run", "Run the chosen step; probes and changes show a plan."),
    KeyBinding("run_checks", "i", "all checks", "Run all read-only checks of this part in turn."),
    KeyBinding("next_step", "right", "next step", "Look at the step to do now."),
    KeyBinding("skip_step", "s", "skip", "Skip the step, with a reason for the record."),
    KeyBinding("go_to_step", "b", "from here", "Go on from the chosen step. Nothing is undone."),
    KeyBinding(
        "parameters", "e", "parameters", "Change what the step runs with, such as the node."
    ),
    KeyBinding("read", "v", "read", "Read the whole runbook, with its story."),
    KeyBinding(
        "by_hand", "h", "by hand", "Say that you made the change yourself, and what you did."
    ),
    KeyBinding("copy", "y", "copy", "Copy the command that does the same by hand (OSC 52)."),
    KeyBinding("undo_step", "u", "undo", "Undo the change of the chosen step, after a question."),
    KeyBinding("choose_runbook", "c", "others", "Choose another runbook; open ones stand first."),
    SEARCH,
)
OBJECTS = (
    KeyBinding(
        "open_object", "enter", "details", "Summary, events, logs, YAML, owners, dependants."
    ),
    KeyBinding(
        "filter", "f,slash", "filter", "Filter: restarts>3 age<1h !ready -l app=web -n a,b, words."
    ),
    KeyBinding("mark", "space", "mark", "Mark the row, or unmark it; actions take all marked."),
    KeyBinding("sort", "s", "sort", "Sort by the next column."),
    KeyBinding("reverse", "S", "reverse", "Reverse the order."),
    KeyBinding("next_kind(1)", "tab", "", "The next kind."),
    KeyBinding("next_kind(-1)", "shift+tab", "", "The previous kind."),
    KeyBinding("object_logs", "l", "logs", "Read the logs of the chosen pod or workload."),
    KeyBinding("shift(1)", "right", "", "Columns further to the right."),
    KeyBinding("shift(-1)", "left", "", "Columns further to the left."),
    LEAVE_TABLE,
)
OBJECT = (
    KeyBinding(
        "section(1)", "tab,right", "next part", "Summary, events, logs, YAML, owners in turn."
    ),
    KeyBinding("section(-1)", "shift+tab,left", "", "The previous part."),
    KeyBinding("object_logs", "l", "logs", "Read the logs of the pod, or of all its pods."),
    KeyBinding("part('events')", "e", "events", "Events of this object, newest first."),
    KeyBinding("part('yaml')", "y", "YAML", "The object as the server has it, redacted."),
    KeyBinding("part('related')", "w", "owners", "Owners and dependants; enter opens one."),
    RANGE,
    KeyBinding("keep", "K", "keep", "Keep the range, or what is on the screen, as evidence."),
    SEARCH,
)
LOGS = (
    SEARCH,
    KeyBinding("previous_logs", "v", "previous", "Logs from before the last restart, and back."),
    KeyBinding("next_container", "c", "container", "Logs of all containers, or of each in turn."),
    KeyBinding("pause", "p", "pause", "Stop drawing new lines; again goes on."),
    KeyBinding(
        "since", "s", "since", "Read all that is kept, or the last 5 min, 15 min, 1 h, 6 h."
    ),
    KeyBinding(
        "level", "f", "level", "Show all levels, info and worse, warnings and worse, errors."
    ),
    KeyBinding("unfold", "u", "JSON", "Show JSON lines as message and fields, or as they are."),
    KeyBinding("wrap", "w", "wrap", "Wrap long lines, or cut them."),
    RANGE,
    KeyBinding("keep", "e,K", "keep", "Keep the range, or what is on the screen, as evidence."),
)
READING = (SEARCH,)
OTHER = (
    KeyBinding("open_object", "enter", "details", "Summary, conditions, events, owners, YAML."),
    SEARCH,
    KeyBinding("read", "u", "read again", "Ask the server for the table again."),
)
TIMELINE = (
    KeyBinding("switch_lane", "d", "log or draft", "Switch between the log and the draft."),
    KeyBinding(
        "filter",
        "f",
        "filter",
        "Only entries that contain the words; also kind:note who:ana in:draft around:14:30.",
    ),
    KeyBinding("views", "v", "views", "Choose a view of the log, or save the filter as one."),
    KeyBinding(
        "around", "w", "around", "What happened 5 min before and after the entry, and back."
    ),
    KeyBinding("brief", "b", "brief", "The hand-off brief for the next engineer."),
    SEARCH,
    KeyBinding("pin", "p", "pin", "Pin the entry: the draft always shows it; again unpins it."),
    KeyBinding("hide", "h", "hide", "Hide the entry from log and draft; again shows it."),
    KeyBinding("edit", "e", "edit", "Edit the entry; the record keeps how it read before."),
    KeyBinding("unfold", "z", "all lines", "Show what is folded or hidden, and back."),
    LEAVE_FILTER,
    KeyBinding("export", "x", "export", "Write the draft beside the record; your edits are kept."),
)
ANYWHERE = (
    KeyBinding("act", "a", "act", "What can be done here: actions that fit, each with its plan."),
    KeyBinding("go('now')", "1", "", "Now: what is wrong."),
    KeyBinding(
        "go('runbook')",
        "2",
        "",
        "The open runbook, or the list of several; also after a restart.",
    ),
    KeyBinding("go('objects')", "o,3", "objects", "Tables of everything in the cluster."),
    KeyBinding("kind", "colon", "", "Open any kind by its name or short name: svc, pvc, hpa, sts."),
    KeyBinding("symptom", "m", "symptom", "Match a symptom in words, an alert or an error line."),
    KeyBinding("note", "n", "note", "Take a note or set a mark; works without a cluster."),
    KeyBinding(
        "go('timeline')", "t,4", "timeline", "What was seen, done and noted, beside the draft."
    ),
    KeyBinding("write", "W", "", "Allow changes in this session, or make it read-only again."),
    KeyBinding(
        "connection", "5", "", "The path to the API server, and what is known of each kind."
    ),
    KeyBinding("contexts", "C", "", "Open another context of the kubeconfig: a new investigation."),
    KeyBinding("incidents", "L", "", "Open another incident of this machine, with its context."),
    KeyBinding("incident", "I", "", "Title, severity and state of the incident."),
    KeyBinding("new_incident", "N", "", "Begin a new incident; the current one does not change."),
    KeyBinding(
        "stop",
        "x",
        "",
        "Stop a probe, and remove what it created; a change before its next object.",
    ),
    KeyBinding("retry", "r", "retry now", "Ask the cluster again at once instead of waiting."),
    KeyBinding("mentions", "O", "", "Open an object that is named on the screen."),
    KeyBinding("help", "question_mark", "help", "All keys, and how to read this screen."),
    KeyBinding(
        "palette", "ctrl+p", "", "Find anything: an action, a screen, a runbook, an object."
    ),
    KeyBinding("back", "escape", "back", "Back to where you came from."),
    KeyBinding("theme", "ctrl+t", "", "The next theme: dark, light, 16 colours, high contrast."),
    KeyBinding("suspend_process", "ctrl+z", "", "Go to the shell; fg comes back."),
    KeyBinding("interrupt", "ctrl+c", "", "Say how to quit; twice quits."),
    KeyBinding("leave", "q", "quit", "Quit; asks only while something runs."),
)

SCOPES = {
    "now": NOW,
    "runbook": RUNBOOK,
    "objects": OBJECTS,
    "object": OBJECT,
    "logs": LOGS,
    "other": OTHER,
    "reading": READING,
    "timeline": TIMELINE,
    "": ANYWHERE,
}
"""The actions of each screen, in the order in which help lists the screens; "" for anywhere."""
FIRST = tuple(scope for scope in SCOPES if scope)
ACTIONS = tuple(
    msgspec.structs.replace(action, scope=scope)
    for scope, actions in SCOPES.items()
    for action in actions
)
MODES = tuple(
    action.id.removeprefix("go('").removesuffix("')")
    for action in ANYWHERE
    if action.id.startswith("go('")
)
"""The screens that a key opens, by name."""


def actions_for(scope: str, actions: Sequence[KeyBinding] = ACTIONS) -> Iterator[KeyBinding]:
    """What can be done on a screen: its own first, then what works anywhere."""
    yield from (action for action in actions if action.scope == scope)
    yield from (action for action in actions if not action.scope)


def keys_on(scope: str, actions: Sequence[KeyBinding] = ACTIONS) -> Keys:
    """The keys that sentences on a screen name: of an action that works anywhere the first key that
    the screen does not use itself."""
    own = {
        key
        for action in actions
        if scope and scope == action.scope
        for key in action.key.split(",")
    }
    names: dict[str, str] = {}
    for action in actions:
        free = (key for key in action.key.split(",") if action.scope or key not in own)
        names[action.binding] = written(next(free, ""))
    return names


MOVING = ("up", "down", "j", "k", "pageup", "pagedown", "space", "home", "end", "g", "G")
"""Keys of the panes: they move the cursor on every screen."""
_KEY = re.compile(
    r"(ctrl\+[a-z]|(shift\+)?(f\d{1,2}|tab|left|right)|enter|escape|delete|insert|backspace"
    r"|[a-z]+_[a-z_]+|comma|slash|colon|.)"
)


def remapped(
    settings: Mapping[str, str | Mapping[str, str]], place: Callable[..., str]
) -> tuple[KeyBinding, ...]:
    """The actions with the keys of the settings; `place` says where a setting is. Raises
    `ConfigError` for an unknown screen, action or key, and for a key in use."""
    wanted: dict[tuple[str, str], str] = {}
    for name, value in settings.items():
        if isinstance(value, str):
            wanted["", name] = value
        else:
            wanted.update({(name, each): key for each, key in value.items()})
    known = {(action.scope, action.name): action for action in ACTIONS}
    changed = dict(known)
    for (scope, name), key in wanted.items():
        where = place("keys", *filter(None, (scope, name)))
        if scope not in SCOPES:
            raise ConfigError(f"{where}: no screen {scope!r}; there are {', '.join(FIRST)}")
        if (scope, name) not in known:
            import difflib

            names = [each for of, each in known if of == scope]
            near = ", ".join(difflib.get_close_matches(name, names, 3, 0.4)) or "none"
            raise ConfigError(
                f"{where}: no action {name!r} {_on(scope)}; nearest: {near}; `stanch config keys` "
                "names them all"
            )
        changed[scope, name] = msgspec.structs.replace(
            known[scope, name], key=_read_key(key, where)
        )
    for each in wanted:
        _refuse_taken(each, known, changed, place)
    return tuple(changed.values())


def _read_key(text: str, where: str) -> str:
    """Textual's name of a key. Raises `ConfigError`."""
    key = text.strip()
    key = read(key if len(key) == 1 else key.lower())
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{where}: {text!r} is no key; write x, X, ctrl-x, f5, enter or tab")
    if key in MOVING:
        raise ConfigError(f"{where}: the key {text} moves the cursor on every screen")
    return key


def _refuse_taken(
    own: tuple[str, str],
    known: Mapping[tuple[str, str], KeyBinding],
    changed: Mapping[tuple[str, str], KeyBinding],
    place: Callable[..., str],
) -> None:
    """Raises `ConfigError` when another action of the same screen, or one that works anywhere,
    already has a key and did not have it before."""
    keys = set(changed[own].key.split(","))
    for other, action in changed.items():
        near = other[0] == own[0] or not other[0] or not own[0]
        taken = keys & set(action.key.split(","))
        before = set(known[own].key.split(",")) & set(known[other].key.split(","))
        if other != own and near and taken and not before:
            where = place("keys", *filter(None, own))
            raise ConfigError(
                f"{where}: the key {changed[own].keys} is that of {action.name} "
                f"{_on(action.scope)}; give that another key, or choose one that is free"
            )


def _on(scope: str) -> str:
    return f"on the screen {scope}" if scope else "anywhere"


def bindings(scope: str) -> list[BindingType]:
    """Textual bindings of a screen ("" for those of the application)."""
    from textual.binding import Binding

    return [
        Binding(
            action.key,
            action.id,
            action.label or action.help,
            show=False,
            priority=action.key.startswith(("tab", "shift+tab")),
            id=action.binding,
        )
        for action in ACTIONS
        if action.scope == scope
    ]
