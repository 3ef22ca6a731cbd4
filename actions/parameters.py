"""Typed parameters of actions: parses text from a person or a runbook into a value, or into a
sentence about the error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.kube import quantity
from cluster.kube.kinds import READABLE, Kind
from cluster.kube.objects import Ref
from cluster.kube.selectors import parse

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ANY_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._:]{0,252}")
"""Names of roles contain colons and capitals."""
_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """`parse` turns the text into the value; it raises ValueError with half a sentence that says
    what is expected."""

    name: str
    meaning: str
    parse: Callable[[str], Any]
    required: bool = True


def read_values(
    parameters: Sequence[Parameter], arguments: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """(values by name, "" or one sentence about the error). A missing optional parameter is not in
    the values."""
    known = [each.name for each in parameters]
    for name in arguments:
        if name not in known:
            return {}, f"There is no parameter {name!r}; there are {', '.join(known) or 'none'}."
    values: dict[str, Any] = {}
    for each in parameters:
        text = arguments.get(each.name, "").strip()
        if not text:
            if each.required:
                return {}, f"{each.name} is not given: {each.name}=… ({each.meaning})."
            continue
        try:
            values[each.name] = each.parse(text)
        except ValueError as error:
            return {}, f"{each.name} {text!r} cannot be used: {error}."
    return values, ""


def name(text: str) -> str:
    """A name of a Kubernetes object."""
    if not _NAME.fullmatch(text):
        raise ValueError("a Kubernetes name has lower-case letters, digits, '-' and '.'")
    return text


def namespaced(text: str) -> tuple[str, str]:
    """NAMESPACE/NAME."""
    namespace, slash, rest = text.partition("/")
    if not slash:
        raise ValueError("it is written NAMESPACE/NAME")
    return name(namespace), name(rest)


def workload(*kinds: str) -> Parameter:
    """A workload of one of `kinds`, written KIND/NAMESPACE/NAME or, as runbooks have it,
    NAMESPACE/KIND/NAME."""
    by_word = {each.lower(): each for each in kinds}
    *most, last = by_word
    meaning = f"{', '.join(most)}{' or ' if most else ''}{last}, as KIND/NAMESPACE/NAME"

    def parse_workload(text: str) -> Ref:
        parts = text.split("/")
        if len(parts) == 3:
            for kind, namespace in (parts[:2], parts[1::-1]):
                if kind.lower() in by_word:
                    return Ref(by_word[kind.lower()], name(namespace), name(parts[2]))
        raise ValueError(f"it is written KIND/NAMESPACE/NAME, KIND one of {', '.join(by_word)}")

    return Parameter("workload", meaning, parse_workload)


def target(text: str) -> Ref:
    """KIND/NAME or KIND/NAMESPACE/NAME of any readable kind."""
    kind, *rest = text.split("/")
    known = next((each for each in READABLE.values() if kind.lower() in _words(each)), None)
    if known is None:
        raise ValueError(f"{kind!r} is not a kind that is known here")
    if len(rest) != (2 if known.namespaced else 1):
        form = "KIND/NAMESPACE/NAME" if known.namespaced else "KIND/NAME"
        raise ValueError(f"it is written {form}")
    if not all(map(_ANY_NAME.fullmatch, rest)):
        raise ValueError("a name has letters, digits, '-', '.', '_' and ':'")
    return Ref(known.name, rest[0] if known.namespaced else "", rest[-1])


def _words(kind: Kind) -> tuple[str, str]:
    return kind.name.lower(), kind.plural


OBJECT = Parameter("object", "KIND/NAME or KIND/NAMESPACE/NAME", target)


def selector(text: str) -> str:
    """A label selector in kubectl's syntax."""
    parse(text)
    return text


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"it is a whole number from {least} to {most}")
        return int(text)

    return parse


def amount(text: str) -> str:
    """A Kubernetes quantity above 0, such as 500m or 256Mi."""
    value = quantity.parse(text)
    if value is None or value <= 0:
        raise ValueError("it is a quantity above 0 such as 500m, 2 or 256Mi")
    return text


def image(text: str) -> str:
    """An image by digest, because the content of a tag can change."""
    if not _DIGEST.fullmatch(text):
        raise ValueError("it is an image by digest, REPOSITORY@sha256:<64 hexadecimal digits>")
    return text


def label_key(text: str) -> str:
    if not _LABEL_KEY.fullmatch(text):
        raise ValueError("a label key is [PREFIX/]NAME")
    return text


def label_value(text: str) -> str:
    if not _LABEL_VALUE.fullmatch(text):
        raise ValueError("a label value has at most 63 letters, digits, '-', '_' and '.'")
    return text


def assignment(text: str) -> tuple[str, str | None]:
    """KEY=VALUE sets a label, KEY- removes it."""
    if text.endswith("-"):
        return label_key(text[:-1]), None
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError("it is written KEY=VALUE to set and KEY- to remove")
    return label_key(key), label_value(value)


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is one of {', '.join(words)}")
        return text

    return parse


def text(given: str) -> str:
    """Any text without control characters."""
    if not given.isprintable():
        raise ValueError("it has characters that cannot be printed")
    return given
