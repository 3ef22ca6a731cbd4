"""Shortens messages for claims, and finds messages with the same cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_RPC = re.compile(r"(?:rpc error: )?code = \w+ desc = ")


_MOUNTING = re.compile(r"\s*Mounting command: .*?(?:^|\s)Output: ", re.DOTALL)
"""How the kubelet called mount, before what mount says."""
_ANSWER = re.compile(
    r"(?:Retriable: \w+, )?(?:RetryAfter: \w+, )?(?:HTTPStatusCode: \d+, )?(?:RawError: )?"
    r"\{.*?\"message\"\s*:\s*\"((?:[^\"\\]|\\.)+)\".*\}",
    re.DOTALL,
)
"""An answer of a provider in JSON: its message alone is a sentence."""


_LONG_ID = re.compile(r"\b[0-9a-f]{16,}\b")


_VARYING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+|\"[^\"]*\"|'[^']*'|/\S+")


QUOTE = 180
"""Characters of a message that a claim quotes."""


def quoted(message: str) -> str:
    """A message in one line, without the wrappers of RPCs, commands, answers in JSON and long ids,
    and without a colon that ends it because what follows is empty. Of a long one the middle is left
    out: the beginning says what failed, the end why."""
    if "Mounting command" in message:
        message = _MOUNTING.sub(": ", message, count=1)
    if '"message"' in message:
        message = _ANSWER.sub(_told, message, count=1)
    text = " ".join(_LONG_ID.sub("…", _RPC.sub("", message)).split()).rstrip(":;, ")
    if len(text) <= QUOTE:
        return text
    begin, end = text[: QUOTE // 2 + 1], text[-QUOTE // 2 - 1 :]
    return f"{begin.rpartition(' ')[0] or begin} … {end.partition(' ')[2] or end}"


def first_two(names: Iterable[str]) -> str:
    """`cart`, `cart and web`, `cart, feed and 3 more`, in the order given: names say more than
    their number."""
    known = list(dict.fromkeys(names))
    if len(known) <= 2:
        return " and ".join(known)
    return f"{known[0]}, {known[1]} and {len(known) - 2} more"


def first_owners(owners: Iterable[tuple[str, str]]) -> str:
    """As `first_two`, of owners as (namespace, name), sorted: the namespace is said where two have
    one name."""
    known = sorted(set(owners), key=lambda owner: (owner[1], owner[0]))
    alike = Counter(name for _, name in known)
    return first_two(f"{space}/{name}" if alike[name] > 1 else name for space, name in known)


def _told(answer: re.Match[str]) -> str:
    return answer[1].replace('\\"', '"')


_WRAPPERS = re.compile(
    r"^.*(?:code = \w+ desc = |failed \((?:add|delete)\): |add cmd: |get sandbox runtime: )",
    re.DOTALL,
)


def inner_words(message: str) -> str:
    """The innermost sentence of a message: that of a plugin, a runtime or a driver, without the
    calls that wrap it."""
    inner = _WRAPPERS.sub("", message)
    if inner.endswith('"]'):  # the last of several errors in brackets
        inner = inner.removesuffix("]")
    return " ".join(inner.rstrip('"').split())


def signature(message: str) -> str:
    """A message without the parts that vary between objects (numbers, hashes, quoted names, paths):
    equal for one cause."""
    return " ".join(_VARYING.sub("*", _RPC.sub("", message)).split())[:QUOTE]
