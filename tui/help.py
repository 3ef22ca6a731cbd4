"""The line of keys at the bottom, and the help."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from text.keys import Keys, named
from text.lines import BLANK, Line, field, line, prose, rule
from text.width import cells
from tui.keys import ACTIONS, FIRST, KeyBinding, actions_for, keys_on, read, written
from tui.line_pane import Fixed

TITLES = {
    "now": "Now",
    "runbook": "Runbook",
    "objects": "Objects",
    "object": "One object",
    "logs": "Logs",
    "other": "Other kinds",
    "reading": "Pages: help, connection, entry, runbook",
    "timeline": "Timeline",
    "": "Anywhere",
}

READING = {
    "now": (
        "Each symptom is a group of objects that fail together: severity, title, duration, what "
        "the failing objects share and the healthy ones do not, and the runbook that fits with "
        "its score (0 to 1). The pane below or beside it gives the reasons: evidence for that "
        "runbook, missing evidence, evidence against it, and what changed before."
    ),
    "runbook": (
        "The steps are at the left, in the order of the runbook: first stop the bleeding, then "
        "find out. A check only reads. A probe measures, and shows its plan first. An action "
        "changes the cluster: it shows the exact change, its blast radius and its undo, and asks "
        "you to type a word. `unknown` means asked but not answered; it is never a pass."
    ),
    "objects": (
        "Rows are live, broken ones first. A filter is words and conditions, which all must hold: "
        "restarts>3 age<1h node=node-2 !ready; -l app=web,tier!=test takes a label selector, "
        "-n shop,dev namespaces; ! negates. Marked rows (●) are shown whatever the filter says, "
        "and keep their mark in another order. `loading`, `stale`, `forbidden` and `none` are four "
        "different things; the line above the table says which, and as of when."
    ),
    "object": (
        "Times of events are absolute, in UTC. Values of Secrets and ConfigMaps are never read: "
        "only the names of their keys are shown. In the YAML {object.begin} begins a "
        "range, {object.keep} keeps it."
    ),
    "logs": (
        "Lines are in UTC by the time of the runtime; those of several pods are merged by it. The "
        "second line says what is read, what is hidden by its level, and what was dropped: 2,000 "
        "lines are kept. {logs.begin} begins a range at the cursor, {logs.keep} keeps it as "
        "evidence in the timeline."
    ),
    "timeline": (
        "The log shows what was seen, done, ruled out and noted, in UTC, by the time it happened; "
        "an entry that was recorded later shows both times. The draft is the beginning of a "
        "post-mortem; export writes it to a file and keeps your own edits there."
    ),
}


LAST = ("leave", "help")
"""Ids of the actions that are always in the line of keys."""


def keys_line(scope: str, width: int, all_actions: Sequence[KeyBinding] = ACTIONS) -> Line:
    """As many keys as fit, those of this screen first; quit and help always."""
    actions = [
        action
        for action in actions_for(scope, all_actions)
        if action.label and action.id not in ("back", f"go('{scope}')", *LAST)
    ]
    if scope != "now":
        own = sum(1 for action in actions if action.scope == scope) if scope else 0
        actions.insert(own, next(action for action in all_actions if action.id == "back"))
    last = [next(action for action in all_actions if action.id == name) for name in LAST]
    final = [(action.keys, action.label) for action in last]
    labels: dict[str, str] = {}
    for action in actions:
        labels.setdefault(action.keys, action.label)  # the screen's own key hides that of anywhere
    texts = list(labels.items())
    gap = 3 if _width([*texts, *final], 3) <= width else 2
    while texts and _width([*texts, *final], gap) - gap > width:
        texts.pop()
    return key_line([*texts, *final], gap, margin="")


def key_line(keys: Sequence[tuple[str, str]], gap: int = 3, margin: str = " ") -> Line:
    """Keys and what each does, in one line."""
    spans = [span for key, label in keys for span in ((key, "key"), f" {label}{' ' * gap}")]
    return line(margin, *spans, hang=1)


class KeysPane(Fixed, can_focus=False):
    """A line of keys. A click on a key, or on what it does, presses it."""

    def on_click(self, event: events.Click) -> None:
        if not event.y < len(self.lines):
            return
        left, pressed = 0, ""
        for text, style in self.lines[event.y].spans:
            if left > event.x:
                break
            pressed = text.split()[0] if style == "key" else pressed
            left += cells(text)
        if pressed:
            self.app.simulate_key(read(pressed))


def _width(texts: Sequence[tuple[str, str]], gap: int) -> int:
    return sum(len(key) + 1 + len(label) + gap for key, label in texts)


def help_lines(scope: str, actions: Sequence[KeyBinding] = ACTIONS) -> list[Line]:
    """How to read the screen, then every key: this screen's first."""
    lines: list[Line] = []
    keys = keys_on(scope, actions)
    if scope in READING:
        title = rule(f"how to read: {TITLES[scope].lower()}")
        lines += [title, *prose(named(READING[scope], keys)), BLANK]
    order = (
        [scope, "", *(other for other in FIRST if other != scope)]
        if scope in FIRST
        else ["", *FIRST]
    )
    for each in order:
        lines.append(rule(TITLES[each].lower()))
        for action in actions:
            if action.scope == each and action.help:
                lines.append(field(_all_keys(action), action.help, style="key", size=13))
        lines.append(BLANK)
    moving = (("↑ ↓ j k", " choose"), ("tab", " next pane"), ("pgup pgdn home end", " scroll"))
    return [*lines, rule("moving"), key_line(moving, 4), BLANK, *_marks(keys)]


def _marks(keys: Keys) -> list[Line]:
    """What a note can be, and how that is written without the dialog."""
    from text.timeline import MARKS

    lines = [rule(named("marks of a note: {.note}, then ↑ ↓; or typed in front of the text", keys))]
    for word, mark in MARKS.items():
        typed = (f"  typed: {mark.prefix.strip()}", "muted") if mark.prefix else ""
        lines.append(field(word, mark.meaning, typed, style="key", size=13))
    return lines


def _all_keys(action: KeyBinding) -> str:
    return " ".join(map(written, action.key.split(",")))
