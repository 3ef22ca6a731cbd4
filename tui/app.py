"""The application: modes, and keys that work on every screen."""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.events import Event, Key, Paste
from textual.screen import ModalScreen, Screen
from textual.worker import Worker

import assets
from cluster.kube.objects import Ref
from incident.config import Config
from text.keys import Keys, named
from text.lines import prose
from text.words import plural
from tui.key_order import KeyOrder
from tui.keys import ACTIONS, MODES, KeyBinding, bindings, keys_on
from tui.navigation import Reopen
from tui.painting import PaintingApp
from tui.screens.frame import Frame, tell_failure
from tui.themes import THEMES

if TYPE_CHECKING:
    from incident.api import Investigation
    from incident.other_kinds import OtherKind
    from text.lines import Line
    from tui.walkthrough import OpenRun

STYLESHEETS = ("base.tcss", "screens.tcss", "dialogs.tcss")
INTERRUPTED_TWICE = 3.0
"""Seconds within which a second ctrl-c quits."""
LISTED = 8
"""Most entries that are named before they are lost."""


def _screen(mode: str) -> Screen[Any]:
    """`TimelineScreen` of `tui.screens.timeline` for `timeline`, imported when it is first
    opened."""
    module = importlib.import_module(f"tui.screens.{mode}")
    screen: Screen[Any] = getattr(module, f"{mode.title()}Screen")()
    return screen


class StanchApp(PaintingApp):
    """The screens of one investigation. Screens other than `now` are imported when they are first
    opened."""

    TITLE = "stanch"
    MODES: ClassVar[Mapping[str, Callable[[], Screen[Any]]]] = {  # type: ignore[assignment]  # Textual's own annotation is narrower than what it accepts
        mode: partial(_screen, mode) for mode in MODES
    }
    DEFAULT_MODE = "now"
    ENABLE_COMMAND_PALETTE = False  # opened by our own action, with our own provider
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # Textual declares it as an instance attribute
        (0, "-tiny"),
        (60, "-narrow"),
        (110, "-wide"),
    ]  # Textual declares it as an instance attribute
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-low"), (36, "-high")]  # noqa: RUF012  # the same
    BINDINGS = bindings("")
    CSS = "\n".join(
        Path(assets.__file__).with_name(name).read_text("utf-8") for name in STYLESHEETS
    )

    def __init__(
        self,
        investigation: Investigation,
        clock: Callable[[], datetime],
        environment: Mapping[str, str] = os.environ,
        config: Config | None = None,
        first: str = "",
        actions: Sequence[KeyBinding] = ACTIONS,
    ) -> None:
        """`first`: the action that opens with the screens, such as a picker. `actions`: with the
        keys of the settings."""
        super().__init__(investigation, clock, environment, config or Config())
        self._first = first
        self.actions = actions
        self.key_order = KeyOrder(self)
        self._interrupted = -math.inf
        """Monotonic seconds of the last ctrl-c."""
        self.searched_symptom = ("", "")
        """What was typed last as a symptom, and the block that was pasted with it."""
        self.refused_note = ("", "")
        """The last note that the disk refused, and why."""
        self._planned = ""

    @cached_property
    def open_run(self) -> OpenRun:
        from tui.walkthrough import OpenRun

        return OpenRun(self)

    @property
    def planned(self) -> str:
        """What is being planned: its dialog opens as soon as the plan is made. "" for nothing."""
        return self._planned

    @planned.setter
    def planned(self, what: str) -> None:
        self._planned = what
        if not what:
            self.end_running()

    @property
    def keys(self) -> Keys:
        """The keys that sentences name, as they are on the screen that is shown."""
        frames = (each for each in reversed(self.screen_stack) if isinstance(each, Frame))
        frame = next(frames, None)
        return frame.keys if frame is not None else keys_on("", self.actions)

    def on_mount(self) -> None:
        keys = {action.binding: action.key for action in self.actions}
        self.set_keymap({a.binding: keys[a.binding] for a in ACTIONS if keys[a.binding] != a.key})

    def on_ready(self) -> None:
        self.follow()
        self.call_after_refresh(self._begin)  # modules of the client would delay the first frame
        if self._first:
            self.call_later(self.run_action, self._first)

    def _begin(self) -> None:
        self.run_worker(
            self._start(), group="start", exit_on_error=False, description="start the investigation"
        )

    async def _start(self) -> None:
        try:
            await self.investigation.start()
        except Exception as error:  # the screens stay: they work without a cluster
            self.tell(
                f"The investigation could not be started: {error}. Notes and runbooks work"
                + named("; {.retry} tries again.", self.keys),
                "error",
            )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        tell_failure(self, event)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key):
            self._key = time.monotonic()
            if self._comes_before_plan(event):
                return
            self.end_messages("warning")  # at 80x24 they cover what the person reads next
            self.investigation.give_way()
        if isinstance(event, (Key, Paste)) and await self.key_order.take(event):
            return
        await super().on_event(event)

    def _comes_before_plan(self, event: Key) -> bool:
        """Whether a key is dropped, with a message, because it may be meant for the dialog of a
        plan that is still being made: on the screen below it would open or quit something. Keys
        that move, leave or stop act."""
        typed = event.is_printable or event.key == "enter"
        stops = {"stop", "interrupt", "suspend_process"}
        keys = {key for each in self.actions if each.name in stops for key in each.key.split(",")}
        if not self.planned or isinstance(self.screen, ModalScreen) or not typed:
            return False
        if event.key in keys:
            return False
        stop = named("; {.stop} stops it.", self.keys)
        said = f"Not taken: the plan is still being made: {self.planned}{stop}"
        self.tell(said, "warning", while_running=True)
        return True

    # -- going somewhere

    def action_go(self, mode: str) -> None:
        self.clear_notifications()
        if mode == "runbook":
            self.open_run.show_list(self.current_mode == "runbook")
        self.go(mode)

    def go(self, mode: str) -> None:
        """Show the first screen of a mode."""
        while len(self.screen_stack) > 1:
            if isinstance(self.screen, ModalScreen):
                self.screen.dismiss(None)  # Its question stays without an answer.
            else:
                self.pop_screen()
        if self.current_mode != mode:
            self.switch_mode(mode)

    async def action_back(self) -> None:
        """One screen back; from the first screen of a mode to `now`."""
        self.clear_notifications()
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode != "now":
            self.switch_mode("now")

    def open_runbook(self, runbook_id: str, symptom_id: str = "") -> None:
        self.open_run.open(runbook_id, symptom_id)
        self.go("runbook")

    def action_choose_runbook(self, symptom_id: str = "") -> None:
        from text.matches import catalogue_lines
        from tui.dialogs.choice import Choice

        investigation, progress = self.investigation, self.open_run.progress_by_runbook()

        def listed(words: str) -> Sequence[Line]:
            return catalogue_lines(investigation.runbooks(), words, progress)

        def opened(runbook_id: str | None) -> None:
            if runbook_id:
                self.open_runbook(runbook_id, symptom_id)

        fill = None if investigation.runbooks() else investigation.read_words
        self.push_screen(Choice("choose a runbook", listed, fill), opened)

    def probe_of(self, runbook_id: str, symptom_id: str, wanted: tuple[str, ...]) -> None:
        self.open_run.open(runbook_id, symptom_id)
        self.open_run.probe_first(wanted)

    def open_object(self, ref: Ref, part: str = "summary", kind: OtherKind | None = None) -> None:
        from tui.screens.detail import ObjectScreen

        self.push_screen(ObjectScreen(ref, part, kind))

    def open_logs(self, ref: Ref) -> None:
        from incident.tables.related import pods_of
        from tui.screens.logs import LogsScreen

        pods = pods_of(ref, self.investigation.store)
        if not pods:
            none = (
                "Open one of its pods to read a log." if ref.kind == "Node" else "It has no pods."
            )
            self.tell(f"{ref} has no log of its own. {none}", "warning")
            return
        self.push_screen(LogsScreen(pods, f"logs of {ref}"))

    # -- anywhere

    def action_kind(self) -> None:
        from text.object_table import kind_lines
        from tui.dialogs.choice import Choice

        view, now = self.view, self.clock()
        others: Sequence[OtherKind] | None = None

        async def ask() -> None:
            nonlocal others
            try:
                others = await self.investigation.other_kinds()
            except Exception:  # what is watched can be chosen all the same
                others = ()

        def opened(target: str | None) -> None:
            other = next((o for o in others or () if f"{o.api_version}|{o.plural}" == target), None)
            if other is not None:
                from tui.screens.other_objects import OtherObjectsScreen

                self.push_screen(OtherObjectsScreen(other))
            elif target:
                self.go("objects")
                self.run_worker(
                    self._show_kind(target), exit_on_error=False, description="show the kind"
                )

        self.push_screen(
            Choice(
                "which kind?", lambda words: kind_lines(words, view.kinds, now, others), fill=ask
            ),
            opened,
        )

    def action_mentions(self) -> None:
        from incident.tables.mentions import mentioned
        from text.object_table import mention_lines, ref_of
        from tui.dialogs.choice import Choice
        from tui.line_pane import CursorPane

        panes = [pane for pane in self.screen.query(CursorPane) if pane.display]
        refs = mentioned(
            (text for pane in panes for text in pane.texts()), self.investigation.store
        )
        if not refs:
            self.tell("No known object is named here.", "warning")
            return

        def opened(target: str | None) -> None:
            if target:
                self.open_object(ref_of(target))

        self.push_screen(Choice("which object?", partial(mention_lines, refs)), opened)

    async def _show_kind(self, kind: str) -> None:
        """Shows a kind in the tables once their screen is composed."""
        from tui.screens.objects import ObjectsScreen

        screen = self.screen
        if isinstance(screen, ObjectsScreen):
            await screen.keys_ready.wait()
            screen.show_kind(kind)

    def action_symptom(self) -> None:
        from tui.screens.symptom import SymptomScreen

        self.push_screen(SymptomScreen())

    def action_note(self, mark: str = "note") -> None:
        from tui.screens.note import NoteDialog

        self.push_screen(NoteDialog(*self.refused_note, mark))

    def offer_mark(self, mark: str, text: str) -> None:
        # It opens by itself: a second enter that was meant for the step must not set a mark.
        from tui.dialogs.dialog import Question
        from tui.screens.note import NoteDialog

        if isinstance(self.screen, ModalScreen):
            self.tell(f"{text}{named('; {.note} marks it as ', self.keys)}{mark}.")
            return
        question = Question(
            "verify has passed", [text], f"Mark the incident as {mark}?", "mark it", "not now"
        )

        def answered(agreed: bool | None) -> None:
            if agreed:
                self.push_screen(NoteDialog(text, mark=mark))
            else:
                self.tell(f"Not marked{named('; {.note} marks it as ', self.keys)}{mark}.")

        self.push_screen(question, answered)

    def show_brief(self) -> None:
        """The hand-off brief as a page; a dialog that is open stays."""
        if isinstance(self.screen, ModalScreen):
            opens = named("; on the timeline {timeline.brief} opens the brief.", self.keys)
            self.tell(f"Call for help{opens}", "warning")
        else:
            self.run_worker(self._show_brief(), exit_on_error=False, description="write the brief")

    async def _show_brief(self) -> None:
        from tui.screens.reading import Reading

        brief = await self.investigation.brief()
        self.push_screen(Reading("hand-off brief", lambda _: prose(brief)))

    def _push_once(self, screen: Screen[Any]) -> None:
        """Opens a page, unless it is on top already because its key was pressed twice."""
        if type(self.screen) is not type(screen):
            self.push_screen(screen)

    def action_connection(self) -> None:
        from tui.screens.reading import ConnectionScreen

        self._push_once(ConnectionScreen())

    def action_help(self) -> None:
        from tui.screens.reading import HelpScreen

        scope = self.screen.SCOPE if isinstance(self.screen, Frame) else ""
        self._push_once(HelpScreen(scope))

    def action_palette(self) -> None:
        from textual.command import CommandPalette

        from tui.palette import Everything

        self.push_screen(
            CommandPalette(providers=[Everything], placeholder="action, screen, runbook or object")
        )

    def action_contexts(self) -> None:
        from tui.screens.elsewhere import choose_context

        choose_context(self)

    def action_incidents(self) -> None:
        from tui.screens.elsewhere import choose_incident

        choose_incident(self)

    def action_incident(self) -> None:
        from tui.screens.incident import change_incident

        self.run_worker(
            change_incident(self), exit_on_error=False, description="change the incident"
        )

    async def action_act(self) -> None:
        from tui.screens.offers import act_on, act_on_marked

        refs: Sequence[Ref] = ()
        marked = False
        if isinstance(screen := self.screen, Frame):
            await screen.settled()
            marked = len(screen.marked) > 1
            refs = screen.marked or screen.subjects
        work = act_on_marked(self, refs) if marked else act_on(self, refs)
        self.run_worker(work, exit_on_error=False, description="plan an action")

    def action_write(self) -> None:
        """Allows changes after a question; returns to read-only at once."""
        if self.view.write:
            self._set_write(False)
            return
        if reason := self.investigation.read_only_reason:
            self.tell(reason, "warning")
            return
        from tui.dialogs.dialog import Question

        self.push_screen(
            Question(
                "Allow changes?",
                [f"{self.view.context}  {self.view.server}"],
                "Each change still shows its plan and asks for a word.",
                "allow changes",
                "stay read-only",
            ),
            lambda yes: self._set_write(True) if yes else None,
        )

    def _set_write(self, allowed: bool) -> None:
        refused = self.investigation.set_write(allowed)
        self.tell(refused or ("Changes are allowed." if allowed else "Read-only again."))

    def action_new_incident(self) -> None:
        """Begins another incident after a question."""
        from tui.dialogs.dialog import Question

        self.push_screen(
            Question(
                "Begin a new incident?",
                [f"{self.view.record.incident or 'The record'} stays as it is."],
                "What is seen, done and noted from now on goes into the new one.",
                "begin it",
                "continue this one",
            ),
            self._begin_incident,
        )

    def _begin_incident(self, yes: bool | None) -> None:
        if yes:
            self.run_worker(self.investigation.begin_incident(), exit_on_error=False)

    def action_retry(self) -> None:
        self.investigation.retry_now()
        self.tell("Asking the cluster again now.")

    def action_stop(self) -> None:
        self.open_run.stop()

    def action_interrupt(self) -> None:
        """The first press says how to quit, because people press it to stop a command."""
        now, before = time.monotonic(), self._interrupted
        self._interrupted = now
        if now - before < INTERRUPTED_TWICE:
            self.action_leave()
        else:
            ways = ("{.leave} quits", ", {.stop} stops what runs", "; {.interrupt} again quits.")
            self.tell("".join(named(way, self.keys) for way in ways))

    def action_theme(self) -> None:
        """The next theme; the settings choose the first."""
        names = list(THEMES.values())
        at = names.index(self.theme) if self.theme in names else -1
        self.use_theme(list(THEMES)[(at + 1) % len(names)])

    def use_theme(self, name: str) -> None:
        if self.fixed_theme:
            self.tell(f"The theme stays: {self.fixed_theme}.")
            return
        self.theme = THEMES[name]
        self.tell(f"Theme: {name}")

    def action_leave(self) -> None:
        self.leave(0)

    def leave(self, answer: int | Reopen) -> None:
        """Ends the screens: at once when nothing runs, otherwise only after a question."""
        running = [activity.title for activity in self.view.activities] or (
            [self.open_run.running] if self.open_run.running else []
        )
        lost = self.investigation.unrecorded() if self.view.record.refused else ()
        if isinstance(answer, Reopen):
            lost = ()  # they are tried again, and named at the end of the program
        if not running and not lost:
            self.exit(answer)
            return
        from tui.dialogs.dialog import Question

        verb = "leave" if isinstance(answer, Reopen) else "quit"
        title = f"{verb.capitalize()} while something runs?"
        consequence = "What a probe created is removed first."
        if lost:
            title = f"Quit and lose {plural(len(lost), 'entry', 'entries')}?"
            consequence = f"The disk takes nothing: {self.view.record.reason}"
        more = [f"and {len(lost) - LISTED} more"] if len(lost) > LISTED else []
        self.push_screen(
            Question(
                title,
                [
                    *(f"NOT RECORDED: {entry.text}" for entry in lost[-LISTED:]),
                    *more,
                    *(f"running: {title}" for title in running),
                ],
                consequence,
                verb,
                "keep running",
            ),
            lambda yes: self.exit(answer) if yes else None,
        )
