"""The palette: finds actions, screens, runbooks and objects by a part of their name, at most 50."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from cluster.kube.kinds import KINDS
from cluster.kube.objects import Ref
from text.timeline import MARKS
from tui.keys import KeyBinding
from tui.navigation import Navigation
from tui.strips import plain
from tui.themes import THEMES

if TYPE_CHECKING:
    from tui.screens.frame import Frame

LIMIT = 50
OBJECT_LIMIT = 20_000
"""Most object names searched for each key; more would delay the key."""
SEARCHED = tuple(kind.name for kind in KINDS if kind.searched)
CUTOFF = 60
LOG = "timeline"
"""The screen whose actions are found on every other one, for the export above all."""


class Everything(Provider):
    """Ranks with RapidFuzz, because Textual's own matcher takes a hundred times as long."""

    @property
    def stanch(self) -> Navigation:
        return cast("Navigation", self.app)

    async def discover(self) -> Hits:
        for action in self._actions():
            yield DiscoveryHit(plain(_named(action)), self._act(action), text=_named(action))

    async def search(self, query: str) -> Hits:
        from rapidfuzz import fuzz, process, utils

        choices: dict[str, Callable[[], object]] = {
            _named(action): self._act(action) for action in self._actions()
        }
        app = self.stanch
        choices |= {f"log: {_named(action)}": self._act(action) for action in self._of_the_log()}
        choices |= {f"mark: {word}": partial(app.action_note, word) for word in MARKS}
        choices |= {f"theme: {name}": partial(app.use_theme, name) for name in THEMES}
        for runbook in app.investigation.runbooks():
            choices[f"runbook {runbook.id}: {runbook.title}"] = partial(
                app.open_runbook, runbook.id
            )
        store, left = app.investigation.store, OBJECT_LIMIT
        # Kinds with few objects come first, so that thousands of pods do not crowd them out.
        for kind in sorted(SEARCHED, key=lambda kind: len(store.rows(kind))):
            for key in list(store.rows(kind))[:left]:
                choices[str(Ref(kind, *key))] = partial(app.open_object, Ref(kind, *key))
                left -= 1
        found = process.extract(
            query,
            choices.keys(),
            scorer=fuzz.partial_ratio,
            processor=utils.default_process,
            limit=LIMIT,
            score_cutoff=CUTOFF,
        )
        for name, score, _ in found:
            yield Hit(score / 100, plain(name), choices[name], text=plain(name).plain)

    def _actions(self) -> list[KeyBinding]:
        from tui.screens.frame import Frame

        screen = self.screen
        scope = screen.SCOPE if isinstance(screen, Frame) else ""
        return [
            action for action in self.stanch.actions if action.scope in ("", scope) and action.help
        ]

    def _of_the_log(self) -> list[KeyBinding]:
        """The actions of the timeline, for every other screen."""
        here = {action.id for action in self._actions()}
        return [
            action
            for action in self.stanch.actions
            if action.scope == LOG and action.label and action.id not in here
        ]

    def _act(self, action: KeyBinding) -> Callable[[], object]:
        async def run() -> None:
            if action.scope == LOG:
                self.stanch.go(LOG)
                await cast("Frame", self.app.screen).keys_ready.wait()
            namespace = self.app.screen if action.scope else self.app
            await self.app.run_action(action.id, namespace)

        return run


def _named(action: KeyBinding) -> str:
    said = action.help.rstrip(".")
    label = "" if action.label.lower() in said.lower() else f"{action.label}: "
    return f"{label}{said}  ({action.keys})"
