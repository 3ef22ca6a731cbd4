"""The one door for text that comes from a cluster.

Everything outside is hostile until cleaned: a log line, an annotation or an event message may carry
terminal escapes (OSC 52 writes the clipboard), C1 controls, bidirectional overrides or lone
surrogates, and Textual passes them on to the terminal unchanged.
`clean` is applied once, where text enters (decode, logs, exec output, HTTP error bodies); nothing
behind it needs to think of this again.
"""

from __future__ import annotations

import re

LINE_LIMIT = 8_192
"""Longest text kept, in characters: longer ones are cut with a mark that says how much is
missing."""

# C0 except \t and \n, DEL, C1, zero-width and bidirectional controls, line/paragraph separators,
# BOM, tags, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# A whole ECMA-48 sequence is dropped, an unterminated one loses its introducer only, so that it
# cannot swallow the rest of the line.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    # OSC, DCS, SOS, PM, APC
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"  # two-character escapes
)

# The same set as it looks in undecoded JSON (Go escapes C0 as \u00XX; C1 and the rest arrive as
# UTF-8 bytes).
_SUSPECT_JSON = re.compile(
    rb"\\u00[01][0-9a-fA-F]|\\u00[7-9][0-9a-fA-F]|\\[bfr]|\\u061[cC]|\\u20[0-6][0-9a-fA-F]|\\u[dD][89a-fA-F]|\\u[fF][eEfF]"
    rb"|\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80\x81]"
)


def is_suspect(data: bytes) -> bool:
    """Whether undecoded JSON may hold text that `clean` would change; one pass over the bytes, no
    decoding."""
    if data.isascii() and b"\\" not in data and b"\x7f" not in data:
        return False  # nothing escaped, nothing beyond ASCII: most objects end here
    return _SUSPECT_JSON.search(data) is not None


def is_clean(text: str, start: int, end: int) -> bool:
    """Whether `clean` would leave this part of a text as it is."""
    return _UNSAFE.search(text, start, end) is None


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    """Return `text` without anything that a terminal or a renderer would act on; at most `limit`
    characters."""
    if _UNSAFE.search(text):
        text = _SEQUENCE.sub("", text)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = _UNSAFE.sub(lambda found: _visible(found.group()), text)
    if len(text) > limit:
        return f"{text[:limit]} … ({len(text) - limit} more characters)"
    return text


def clean_line(text: str, limit: int = LINE_LIMIT) -> str:
    """As `clean`, and folded into one line."""
    return clean(" ".join(text.split()) if "\n" in text or "\t" in text else text, limit)


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
