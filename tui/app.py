"""The application: modes, keys that work on every screen, and the painting of each new view."""

from __future__ import annotations

import asyncio
import base64
import importlib
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.constants import DEFAULT_THEME
from textual.events import Event, Key, Paste
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.worker import Worker

import assets
from cluster.kube.objects import Ref
from cluster.kube.text import clean_line
from incident.config import Config
from incident.view import Reach, View
from text.lines import prose
from text.words import plural
from triage.facts.finding import Severity
from tui.host import Level
from tui.key_order import KeyOrder
from tui.keys import ACTIONS, MODES, Action, bindings
from tui.navigation import Reopen
from tui.screens.frame import Frame, tell_failure
from tui.strips import plain
from tui.themes import HIGH_CONTRAST, THEMES

if TYPE_CHECKING:
    from incident.api import Investigation
    from incident.other_kinds import OtherKind
    from tui.walkthrough import OpenRun

STYLESHEETS = ("base.tcss", "screens.tcss", "dialogs.tcss")
INTERRUPTED_TWICE = 3.0
"""Seconds within which a second ctrl-c quits."""
NOTIFY_LIMIT = 10.0
"""Seconds that the command of a notification may run."""
RESIZED = 0.3
"""Seconds without another size after which everything is repainted."""
LISTED = 8
"""Most entries that are named before they are lost."""


def _screen(mode: str) -> Screen[Any]:
    """`TimelineScreen` of `tui.screens.timeline` for `timeline`, imported when it is first
    opened."""
    module = importlib.import_module(f"tui.screens.{mode}")
    screen: Screen[Any] = getattr(module, f"{mode.title()}Screen")()
    return screen


class StanchApp(App["int | Reopen"]):
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
        starting: Awaitable[None] | None = None,
        config: Config | None = None,
        first: str = "",
        actions: Sequence[Action] = ACTIONS,
    ) -> None:
        """`starting`: the start of the investigation, if it has begun already. `first`: the action
        that opens with the screens, such as a picker. `actions`: with the keys of the settings."""
        self._environment = environment
        plain = bool(environment.get("NO_COLOR"))
        # Set here: set later, Textual turns the terminal's own colours grey, and they become black
        # on black.
        super().__init__(ansi_color=True if plain else None)
        self.investigation = investigation
        self.clock = clock
        self._cadence = investigation.cadence
        self.view: View = investigation.view
        self._starting = starting
        self._first = first
        self.actions = actions
        self._unsubscribe: Callable[[], None] = lambda: None
        self._next_paint: Timer | None = None
        self._resized: Timer | None = None
        self._pending = False
        self.key_order = KeyOrder(self)
        self._key = self._painted = -math.inf
        """Monotonic seconds of the last key and of the last paint."""
        self._interrupted = -math.inf
        """Monotonic seconds of the last ctrl-c."""
        self._noticed = ""
        """The last notice of how the record was opened."""
        self.searched_symptom = ("", "")
        """What was typed last as a symptom, and the block that was pasted with it."""
        self.refused_note = ("", "")
        """The last note that the disk refused, and why."""
        self.register_theme(HIGH_CONTRAST)
        self._config = config or Config()
        self._plain = plain
        self._own_theme = ""
        """The context of the current theme, so that a theme chosen by a key stays."""
        self.theme = THEMES["16 colours" if plain else self._config.theme]

    @cached_property
    def open_run(self) -> OpenRun:
        from tui.walkthrough import OpenRun

        return OpenRun(self)

    def refresh_css(self, animate: bool = True) -> None:
        """Skips the first parse of the style sheets, which Textual repeats for each new screen,
        unless the theme changed."""
        if self.theme != DEFAULT_THEME or any(screen.is_mounted for screen in self.screen_stack):
            super().refresh_css(animate)

    # -- painting

    def on_mount(self) -> None:
        keys = {action.binding: action.key for action in self.actions}
        self.set_keymap({a.binding: keys[a.binding] for a in ACTIONS if keys[a.binding] != a.key})

    def on_ready(self) -> None:
        self._unsubscribe = self.investigation.subscribe(self._made)
        self.app_resume_signal.subscribe(self, lambda _: self.set_timer(0.05, self._repaint))
        self.run_worker(
            self._start(), group="start", exit_on_error=False, description="start the investigation"
        )
        if self._first:
            self.call_later(self.run_action, self._first)

    async def _start(self) -> None:
        try:
            await (self._starting or self.investigation.start())
        except Exception as error:  # the screens stay: they work without a cluster
            self.tell(
                f"The investigation could not be started: {error}. Notes and runbooks work; r "
                "tries again.",
                "error",
            )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        tell_failure(self, event)

    def on_resize(self) -> None:
        """Repaints everything when the size rests: of a storm of sizes, what a terminal kept of the
        last ones is not known."""
        if self._resized is not None:
            self._resized.stop()
        self._resized = self.set_timer(RESIZED, self._repaint)

    def _repaint(self) -> None:
        """Repaints everything, also after a return from the shell (ctrl-z, fg), which left its
        text."""
        if self.screen_stack:  # none while the application ends
            for widget in self.screen.walk_children(with_self=True):
                widget.refresh()

    def on_unmount(self) -> None:
        self._unsubscribe()

    def _made(self, view: View) -> None:
        """Takes a view from the task that made it. That task does not know the application, so a
        timer set on it would never fire."""
        self.call_later(self._arrived, view)

    def _arrived(self, view: View) -> None:
        """Paints at once when nothing was painted lately, when the first symptom is found or when
        the API's state changed; else with the next flush, at most ten times a second and not while
        keys go into a dialog."""
        urgent = (
            bool(view.symptoms) > bool(self.view.symptoms)
            or view.api.reach is not self.view.api.reach
        )
        if view.record.notice not in ("", self._noticed):
            self._noticed = view.record.notice
            self.tell(self._noticed)
        self._follow(view)
        self.view = view
        typing = self._typing()
        if urgent or (self._next_paint is None and not typing):
            self._paint()
        else:
            self._pending = True
        if self._next_paint is None:
            cadence = self._cadence
            least = cadence.paint if view.symptoms else cadence.search_paint
            self._next_paint = self.set_timer(cadence.typing if typing else least, self._flushed)

    def _follow(self, view: View) -> None:
        """Applies the theme of the context, and notifies when the settings ask for it."""
        own = self._config.contexts.get(view.context)
        if view.context != self._own_theme and own is not None and own.theme and not self._plain:
            self.theme = THEMES[own.theme]
        if view.context != self._own_theme and own is not None and own.colour:
            self.add_class(f"-{own.colour}")
        self._own_theme = view.context
        if view.api.reach is Reach.LIVE and self.view.api.reach is Reach.LOST:
            self.notify_outside("The API server answers again.")
        known = {item.symptom.id for item in self.view.symptoms}
        for item in view.symptoms if self.view.report is not None else ():
            if item.symptom.id not in known and item.symptom.severity is not Severity.INFO:
                self.notify_outside(f"{item.symptom.severity}: {item.symptom.title}")
                return

    def notify_outside(self, text: str) -> None:
        """Sends the terminal a bell or a notification (OSC 9 or 777), as the settings say."""
        kind, words = self._config.notify, clean_line(text, 120).replace(";", ",")
        if kind == "bell":
            self.bell()
        elif kind == "command":
            self.run_worker(self._run_notify(words), exit_on_error=False, description="notify")
        elif kind != "off" and self._driver is not None:
            code = f"9;stanch: {words}" if kind == "osc9" else f"777;notify;stanch;{words}"
            self._driver.write(f"\x1b]{code}\x07")

    async def _run_notify(self, words: str) -> None:
        """Runs the command of the settings, without a shell, for ten seconds at most."""
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._config.notify_command, words, stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            async with asyncio.timeout(NOTIFY_LIMIT):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()

    def _typing(self) -> bool:
        """Whether keys go into a dialog, and the screen below it was painted recently."""
        above = next(reversed(self.screen_stack), None)  # There is none while the application ends.
        return (
            isinstance(above, ModalScreen)
            and self.since_key() < self._cadence.typing
            and time.monotonic() - self._painted < self._cadence.typed_over
        )

    def since_key(self) -> float:
        """Seconds since a key was pressed."""
        return time.monotonic() - self._key

    def _flushed(self) -> None:
        self._next_paint = None
        if self._pending:
            self._pending = False
            self._arrived(self.view)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key):
            self._key = time.monotonic()
            self.investigation.give_way()
        if isinstance(event, (Key, Paste)) and await self.key_order.take(event):
            return
        await super().on_event(event)

    def _paint(self) -> None:
        self._painted = time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, Frame):
                screen.paint()

    def refresh_screens(self) -> None:
        """A step or a note changed: paint with the next flush."""
        self._arrived(self.view)

    def tell(self, text: str, level: Level = "information") -> None:
        """A short message in place of the previous one, unless that is an error; never markup."""
        self.end_messages("warning")
        self.notify(
            plain(text).plain,
            severity=level,
            markup=False,
            timeout=8 if level == "information" else 15,
        )

    def copy(self, text: str) -> None:
        """Copies a text whole (OSC 52), also through tmux, and says so. tmux passes it on where it
        is allowed to: `set -g set-clipboard on` or `set -g allow-passthrough on`."""
        self.copy_to_clipboard(text)
        if self._environment.get("TMUX") and self._driver is not None:
            code = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"
            self._driver.write("\x1bPtmux;" + code.replace("\x1b", "\x1b\x1b") + "\x1b\\")
        self.tell(f"Copied: {text}")

    def end_messages(self, *more: Level) -> None:
        """Removes messages of level information, which end with their screen, and those of the
        levels in `more`."""
        for each in list(self._notifications):
            if each.severity in ("information", *more):
                self._unnotify(each)

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

        runbooks = self.investigation.runbooks()

        def opened(runbook_id: str | None) -> None:
            if runbook_id:
                self.open_runbook(runbook_id, symptom_id)

        listing = partial(catalogue_lines, runbooks, opened=self.open_run.progress_by_runbook())
        self.push_screen(Choice("choose a runbook", listing), opened)

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
        from tui.screens.note import NoteDialog

        if isinstance(self.screen, ModalScreen):
            self.tell(f"{text}; n marks it as {mark}.")
        else:
            self.push_screen(NoteDialog(text, mark=mark))

    def show_brief(self) -> None:
        """The hand-off brief as a page; a dialog that is open stays."""
        if isinstance(self.screen, ModalScreen):
            self.tell("Call for help; on the timeline b opens the brief.", "warning")
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
            self.tell("q quits, x stops what runs; ctrl-c again quits too.")

    def action_theme(self) -> None:
        """The next theme; the settings choose the first."""
        names = list(THEMES.values())
        at = names.index(self.theme) if self.theme in names else -1
        self.use_theme(list(THEMES)[(at + 1) % len(names)])

    def use_theme(self, name: str) -> None:
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
        consequence = "What it created is removed first."
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
