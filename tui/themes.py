"""The themes to choose from. Each state is also said in words and by weight, so none depends on
colour."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from textual.color import Color
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


def fixed_theme(environment: Mapping[str, str]) -> str:
    """Why a terminal shows only its own colours, "" when it shows every theme. With 16 colours the
    nearest ones replace those of a theme: white on white in the light one, and no red."""
    if environment.get("NO_COLOR"):
        return "NO_COLOR is set"
    terminal = environment.get("TERM", "")
    console = Console(force_terminal=True, _environ=environment)
    few = bool(terminal) and console.color_system == "standard"
    return f"a terminal with TERM={terminal} has 16 colours" if few else ""


CONTRAST = 4.5
"""Least contrast of text and its background (WCAG 2.2, 1.4.3)."""
_COLOURS = ("accent", "primary", "secondary", "error", "warning", "success")


def readable(variables: Mapping[str, str]) -> dict[str, str]:
    """`$muted`, and Textual's colours of text where they have too little contrast: in its light
    theme warnings have 2.8. Empty where the terminal chooses the colours.

    Textual's own `$text-muted` is white or black with transparency, which lines of text do not
    have: they were white on white.
    """
    text, background = map(Color.parse, (variables["foreground"], variables["background"]))
    if text.ansi is not None or background.ansi is not None:
        return {"muted": variables["foreground"]}
    found = {"muted": background.blend(text, 0.7)}
    for name in (f"text-{each}" for each in _COLOURS):
        found[name] = Color.parse(variables[name])
    for name, colour in found.items():
        steps = (colour.blend(text, step / 10) for step in range(11))
        enough = (each for each in steps if contrast(each, background) >= CONTRAST)
        found[name] = next(enough, text)
    return {name: colour.hex for name, colour in found.items()}


def contrast(one: Color, other: Color) -> float:
    """From 1 to 21 (WCAG 2.2, relative luminance)."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = (part / 255 for part in (colour.r, colour.g, colour.b))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
