"""The dialogs of a change without the rest of the screens."""

from __future__ import annotations

from types import SimpleNamespace

from textual.app import App

from tui.app import StanchApp
from tui.keys import keys_on
from tui.themes import readable


class Dialogs(App[None]):
    """An application of dialogs alone, as `act_on` needs it."""

    def __init__(self, investigation: object) -> None:
        super().__init__()
        self.investigation = investigation
        self.view = SimpleNamespace(write=True)
        self.keys = keys_on("")
        self.told: list[str] = []

    def tell(self, text: str, level: str = "information", *, while_running: bool = False) -> None:
        self.told.append(text)

    def refresh_screens(self) -> None:
        pass


class Styled(Dialogs):
    """With the sizes and colours of the screens."""

    CSS = StanchApp.CSS
    HORIZONTAL_BREAKPOINTS = StanchApp.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = StanchApp.VERTICAL_BREAKPOINTS

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return variables | readable(variables)
