"""Replaces characters that the locale of the terminal cannot show."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from text.width import cells

ERRORS = "stanch.ascii"
"""Name of the codec error handler: `text.encode(charset, ERRORS)` never fails."""
_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━—–‐", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯", "+"),
        **dict.fromkeys("█▇▆▅▄▃▂▁▌▐▀", "#"),
        **dict.fromkeys("░▒▓", ":"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("›→", ">"),
        **dict.fromkeys("‹←", "<"),
        "↑": "^",
        "↓": "v",
        "…": "~",
        "·": ".",
        "●": "*",
        "◉": "@",
    }
)


def charset(environment: Mapping[str, str], encoding: str) -> str:
    """The character set of the terminal: `encoding` of the stream, but ASCII where the locale is
    expressly C or POSIX, for which Python takes UTF-8 (PEP 540)."""
    names = (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return "ascii" if next(filter(None, names), "") in ("C", "POSIX") else encoding or "utf-8"


def is_utf8(encoding: str | None) -> bool:
    """Whether an encoding, by any of its names, is UTF-8."""
    return not encoding or codecs.lookup(encoding).name == "utf-8"


def in_ascii(text: str) -> str:
    """The text in ASCII, in the same number of cells; `?` where no ASCII character is similar."""
    return "".join(each if each.isascii() else "?" * cells(each) for each in text.translate(_ASCII))


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _replaced)
