"""Parses one line of a log: its level, and its message without time, level and logger. Understands
JSON lines, logfmt, klog, and the usual plain layouts of Java, Python, Go, Ruby, .NET, nginx,
PostgreSQL, MySQL and Redis."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

import msgspec

LONGEST = 2000
"""Characters of a line that are looked at."""


class Level(enum.IntEnum):
    DEBUG = 0
    INFO = 1
    UNKNOWN = 2
    WARNING = 3
    ERROR = 4
    FATAL = 5


class Message(msgspec.Struct, frozen=True):
    """`text` is one line without its prefix."""

    level: Level
    text: str


_LEVELS: Mapping[str, Level] = {
    **dict.fromkeys(("trace", "debug", "verbose", "dbug"), Level.DEBUG),
    **dict.fromkeys(("info", "information", "log", "i", "note", "inf"), Level.INFO),
    **dict.fromkeys(("warn", "warning", "w", "wrn"), Level.WARNING),
    **dict.fromkeys(
        ("error", "err", "e", "critical", "crit", "severe", "fail", "alert"),
        Level.ERROR,
    ),
    **dict.fromkeys(("fatal", "f", "ftl", "panic", "emerg", "emergency"), Level.FATAL),
}
_WORDS = "|".join(sorted((w for w in _LEVELS if len(w) > 2), key=len, reverse=True))
_JSON_LEVEL = ("level", "severity", "lvl", "log.level", "loglevel", "s", "@l", "levelname")
_JSON_TEXT = ("msg", "message", "@m", "short_message", "event", "log", "reason", "type")
_JSON_CAUSE = ("error", "err", "exception", "cause", "@x", "exc_info", "stack_trace", "details")
_PINO = {10: Level.DEBUG, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARNING}
_LOGFMT = re.compile(r'\b([\w.]+)=("(?:[^"\\]|\\.)*"|\S+)')
_ESCAPED = re.compile(r"\\(.)")
_KLOG = re.compile(r"^([IWEF])(?:\d{4} [\d:.]+\s+\d+)? [\w./-]+:\d+\] (.*)", re.DOTALL)
_STRUCTURED = re.compile(r'^"((?:[^"\\]|\\.)*)"(.*)', re.DOTALL)
_TIME = re.compile(
    r"^\s*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d|\d\d[/.-](?:\d\d|[A-Z][a-z]{2})[/.-]\d{2,4}"
    r"|[A-Z][a-z]{2}\s+\d{1,2})?[T ,:]*\d\d:\d\d:\d\d(?:[.,:]\d+)?"
    r"\s*(?:Z|UTC|[+-]\d\d:?\d\d)?[\])]?[\s:,|-]*"
)
_AHEAD = re.compile(
    rf"^(?:\[?\d+[:#\]]\S*\s+|\*\d+\s+)*[\[(<|]*\b({_WORDS})\b(?:/\w+)?[\])>|]*[:\s|-]*",
    re.IGNORECASE,
)
_INSIDE = re.compile(
    rf"[\[(<|]({_WORDS})[\])>|:/\s]|\s((?-i:{_WORDS.upper()}))[\])>|:/\s]", re.IGNORECASE
)
_REDIS = re.compile(r"^\d+:[A-Z] \d\d [A-Z][a-z]{2} \d{4} [\d:.]+ ([.*#-]) ")
_REDIS_LEVELS = {".": Level.DEBUG, "-": Level.INFO, "*": Level.INFO, "#": Level.WARNING}
_LOGGER = re.compile(r"^(?:\d+ )?--- \[[^\]]*\] (?:\[[^\]]*\] )?[\w.$\[\]]+\s*: ")
_BRACKETS = re.compile(r"^(?:\[[\w.:/ -]{1,40}\]\s*)+(?=\S)")


def message(line: str) -> Message:
    """Level and message of one line. A JSON or logfmt line gives its message and its error."""
    line = line[:LONGEST].strip()
    if line.startswith("{") and line.endswith("}"):
        found = _json(line)
        if found is not None:
            return found
    if ("msg=" in line or "level=" in line) and (found := _logfmt(line)) is not None:
        return found
    if klog := _KLOG.match(line):
        return _klog(_LEVELS[klog[1].lower()], klog[2])
    return _plain(line)


def _klog(level: Level, text: str) -> Message:
    """A structured line, `"message" key="value" err="cause"`, gives its message and its cause.
    `command failed` is the end of a component of Kubernetes (k8s.io/component-base/cli)."""
    found = _STRUCTURED.match(text)
    if found is None:
        return Message(level, text)
    cause = next((f[2] for f in _LOGFMT.finditer(found[2]) if f[1] in ("err", "error")), "")
    if not cause:
        return Message(level, text)
    cause = _ESCAPED.sub(_unescaped, cause.removeprefix('"').removesuffix('"'))
    if found[1] == "command failed":
        return Message(Level.FATAL, cause)
    return Message(level, f"{found[1]}: {cause}")


def _json(line: str) -> Message | None:
    try:
        document = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    lower = {str(key).lower(): value for key, value in document.items()}
    more = lower.get("attr")
    if isinstance(more, dict):
        lower = {**{str(key).lower(): value for key, value in more.items()}, **lower}
    level = Level.UNKNOWN
    for key in _JSON_LEVEL:
        value = lower.get(key)
        if isinstance(value, str) and value.lower() in _LEVELS:
            level = _LEVELS[value.lower()]
            break
        if isinstance(value, int) and not isinstance(value, bool):
            level = _PINO.get(value, _high(value))
            break
    texts = [_text(lower.get(key)) for key in _JSON_TEXT][:4] + [
        _text(lower.get(key)) for key in (*_JSON_TEXT[4:], *_JSON_CAUSE)
    ]
    kept = list(dict.fromkeys(" ".join(text.split()) for text in texts if text))
    return Message(level, ": ".join(kept)) if kept else None


def _high(value: int) -> Level:
    return Level.FATAL if value >= 60 else Level.ERROR if value >= 50 else Level.UNKNOWN


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = (value.get(key) for key in ("message", "msg", "errmsg", "reason"))
        return next((each for each in inner if isinstance(each, str)), "")
    return ""


def _logfmt(line: str) -> Message | None:
    pairs = {
        found[1].lower(): found[2].removeprefix('"').removesuffix('"')
        for found in _LOGFMT.finditer(line)
    }
    texts = [
        _ESCAPED.sub(_unescaped, pairs[key])
        for key in ("msg", "message", "err", "error", "reason")
        if pairs.get(key)
    ]
    if not texts:
        return None
    level = pairs.get("level") or pairs.get("lvl") or ""
    text = ": ".join(dict.fromkeys(texts))
    return Message(_LEVELS.get(level.lower(), Level.UNKNOWN), text)


def _unescaped(match: re.Match[str]) -> str:
    return " " if match[1] in ("n", "t") else match[1]


def _plain(line: str) -> Message:
    if redis := _REDIS.match(line):
        return Message(_REDIS_LEVELS[redis[1]], line[redis.end() :])
    text = _TIME.sub("", line, count=1)
    level = Level.UNKNOWN
    if ahead := _AHEAD.match(text):
        level = _LEVELS[ahead[1].lower()]
        # "Error: …" and "FATAL: …" belong to the sentence; "[error] …" and "ERROR 1 --- " do not.
        if not re.match(r"\w+( error)?:", text[ahead.start(1) :], re.IGNORECASE):
            rest = text[ahead.end() :]
            text = rest if rest and (not rest[:1].isdigit() or _LOGGER.match(rest)) else text
    elif inside := _INSIDE.search(text[:80]):
        level = _LEVELS[(inside[1] or inside[2]).lower()]
    text = _LOGGER.sub("", text)
    text = _TIME.sub("", text, count=1)
    return Message(level, _BRACKETS.sub("", text).strip() or line)
