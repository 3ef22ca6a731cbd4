"""Cleans text from outside: removes terminal control, bidirectional and invisible characters.

A log line, an annotation or an event message may carry terminal escapes (OSC 52 writes the
clipboard), C1 controls, bidirectional overrides or lone surrogates, and Textual passes them on to
the terminal unchanged. Text is cleaned once, where it enters: decode, JSON and text answers, logs,
exec output, HTTP error bodies. The record gets `clean` passed, because `timeline` imports nothing
of the project.

Sources: ECMA-48 (control functions), Unicode TR 36 section 3 (bidirectional and invisible text),
Unicode `Default_Ignorable_Code_Point`, CVE-2021-25743.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

NOT_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding and cleaning of JSON from outside raise; RecursionError where it is nested too
deep."""
LINE_LIMIT = 8_192
"""Longest text kept, in characters; longer text is cut and ends with how much is missing."""

_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
# A whole ECMA-48 sequence is removed. An unterminated one loses its introducer only, so that it
# cannot swallow the rest of the line.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    # OSC, DCS, SOS, PM, APC
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b(?:[ -/]*[0-~])?"  # escapes of two and more characters, and a lone introducer
)
# General category Cf, and whatever else a renderer shows as nothing. The variation selectors
# U+FE00-FE0F and U+180B-180F stay: they choose the form of the character before them.
_INVISIBLE_SET = (
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_INVISIBLE_SET}]")
_CONTROL_SET = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
_CONTROL = re.compile(f"[{_CONTROL_SET}]")
_ESCAPE = re.compile(r"\\[/bfru]")
_UNSAFE = re.compile(f"[{_CONTROL_SET}{_INVISIBLE_SET}\u2028\u2029]")
# The same within ASCII: a small set is searched five times as fast.
_UNSAFE_ASCII = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
# The same characters in encoded JSON, which escapes them or holds them in UTF-8. For rare blocks
# the leading bytes decide; text that `clean` then leaves alone costs time only.
_SUSPECT_JSON = re.compile(
    rb"\\[bfr]|\\u(?!00[2-6])|\x7f|\xc2[\x80-\x9f\xad]|\xcd\x8f|\xd8[\x80-\x85\x9c]|\xdb\x9d"
    rb"|\xdc\x8f|\xe0[\xa2\xa3]|\xe1[\x85\x9e\xa0]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xe3\x85\xa4|\xef\xbb\xbf|\xef\xbe\xa0|\xef\xbf[\xb0-\xbb]|\xf0[\x91\x93\x9b\x9d]|\xf3\xa0"
)
# The same within ASCII: a search for one first byte is 20 times as fast.
_SUSPECT_ESCAPE = re.compile(rb"\\(?:[bfr]|u(?!00[2-6]))")


def is_suspect(data: bytes) -> bool:
    """Whether encoded JSON may hold text that `clean` would change; one pass over the bytes, no
    decoding."""
    if data.isascii():  # most objects
        return b"\x7f" in data or _SUSPECT_ESCAPE.search(data) is not None
    return _SUSPECT_JSON.search(data) is not None


def is_clean(text: str, start: int, end: int) -> bool:
    """Whether `clean` would leave this part of a text as it is."""
    return _UNSAFE.search(text, start, end) is None


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    """Return `text` without escape sequences and invisible characters, at most `limit` characters
    (0: uncut). Line feed and tab stay.

    A carriage return becomes a line feed, so that "real line\\rfake" hides nothing. Other control
    characters and lone surrogates become visible escapes such as ``\\x07``. Idempotent.
    """
    if (_UNSAFE_ASCII if text.isascii() else _UNSAFE).search(text):
        text = _LINE_ENDS.sub("\n", text)
        text = _SEQUENCE.sub("", text)
        text = _INVISIBLE.sub("", text)
        text = _CONTROL.sub(_visible, text)
    return _cut(text, limit) if 0 < limit < len(text) else text


def clean_uncut(text: str) -> str:
    """As `clean`, whatever the length: for the record, which has limits of its own."""
    return clean(text, 0)


def clean_line(text: str, limit: int = LINE_LIMIT) -> str:
    """As `clean`, and folded into one line: where the text has line feeds or tabs, each run of
    white space becomes one space."""
    text = clean(text, 0)
    return clean(" ".join(text.split()) if "\n" in text or "\t" in text else text, limit)


def clean_tree(value: Any) -> Any:
    """A copy of a JSON value in which every string, also of keys, is cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {
            clean(key) if isinstance(key, str) else key: clean_tree(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean_tree(item) for item in value]
    return value


def clean_json(text: str) -> str:
    """Text that may be a JSON document, written again when escapes in it hide characters: `\\u001b`
    is plain text until it is decoded, and a redactor sees no address in `:\\/\\/user:word@`. Any
    other text stays as it is."""
    if not text.startswith(("{", "[")) or _ESCAPE.search(text) is None:
        return text
    try:
        document = msgspec.json.decode(text)
    except NOT_JSON:
        return text
    return msgspec.json.encode(clean_tree(document)).decode()


def _visible(character: re.Match[str]) -> str:
    code = ord(character.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, limit: int) -> str:
    if limit < 64:
        return text[: limit - 1] + "…"
    kept = limit - 32  # the mark has 21 characters and the digits of the number
    return f"{text[:kept]} … ({len(text) - kept} more characters)"
