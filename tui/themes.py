"""The themes to choose from. Each state is also said in words and by weight, so none depends on
colour."""

from __future__ import annotations

from textual.constants import DEFAULT_THEME
from textual.theme import Theme

HIGH_CONTRAST = Theme(
    "stanch-contrast",
    primary="#ffff00",
    secondary="#00ffff",
    accent="#ffffff",
    warning="#ffd700",
    error="#ff5555",
    success="#55ff55",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
)
THEMES = {
    "dark": DEFAULT_THEME,
    "light": "textual-light",
    "16 colours": "ansi-dark",
    "high contrast": HIGH_CONTRAST.name,
}
"""Name of each theme, and Textual's name of it."""
