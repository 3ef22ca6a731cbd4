"""The timeline's own door for hostile text: terminal control, bidirectional and invisible
characters are removed.

`timeline` imports nothing of the project, so it does not rely on somebody else having cleaned a
string. Sources: ECMA-48 (control functions), Unicode TR 36 section 3 (bidirectional and invisible
text), CVE-2021-25743.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI, C1 form
    # OSC, DCS, SOS, PM, APC
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"  # nF escapes
    r"|\x1b[0-~]?"  # two-byte escapes; of an unterminated string only the introducer goes
)
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e\u00a1-\u00ac\u00ae-\u0600]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")


def clean(text: str) -> str:
    """Return `text` without escape sequences and invisible characters; line feed and tab stay.

    A carriage return becomes a line feed, so that "real line\\rfake" hides nothing. Other control
    characters and lone surrogates become visible escapes such as ``\\x07``. Idempotent.
    """
    if not _SUSPECT.search(text):
        return text
    text = _LINE_ENDS.sub("\n", text)
    text = _SEQUENCE.sub("", text)
    text = _INVISIBLE.sub("", text)
    return _CONTROL.sub(_visible, text)


def clean_line(text: str) -> str:
    """Return `text` cleaned and on one line: line feeds and tabs become single spaces."""
    return " ".join(clean(text).split())


def clean_value(value: object) -> object:
    """Return a JSON-like value with every string (keys too) cleaned.

    Tuples become lists, floats that JSON cannot hold become their name, and anything else becomes
    its `str()`.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_value(item) for key, item in value.items()}
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [clean_value(item) for item in items]
    return clean(str(value))


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
