"""The sentence of a log that decides why a container fails."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from triage.logs.address import Address, address, address_near
from triage.logs.log_line import LONGEST, Level, Message, message
from triage.logs.proof import proves
from triage.logs.sentences import patterns
from triage.logs.wrappers import bare, innermost, is_inner, server, wraps

LONG = 160
"""Most characters of a quoted sentence."""
_NEAR = 3
"""Lines around a sentence that are searched for its address."""
_WEIGHT = {"panic": 0, "config-invalid": 1}
"""Weight of a class; default 2. A cause outweighs a mere end."""
_WEAK = frozenset({None, *_WEIGHT})
"""Classes that the words of a wrapper alone have."""
_PEER = frozenset(
    {
        "unreachable",
        "name-not-found",
        "credentials-refused",
        "tls-refused",
        "too-many-connections",
        "peer-memory-full",
    }
)
"""Classes with sentences about a peer."""
_QUIET_TOO = frozenset({"too-many-connections", "disk-full"})
"""Classes that servers log below the level of a warning."""
_WAITED_FOR = frozenset({"unreachable", "name-not-found"})
"""Classes that programs log as notes while they wait for a peer."""
_BEST = (2, True)
_HINT = (
    "fail|err|refus|denied|not |n't|no |cannot|unable|invalid|exception|panic|fatal|time|"
    "missing|required|too many|limit|full|space|memory|in use|exist|lock|forbidden|401|403|"
    "expired|unknown|incorrect|wrong|bad|corrupt|abort|undefined|must|reach|reset|closed|"
    "lost|waiting|incompatible|illegal|notfound|malformed|syntax|unexpected|unrecogn|read|"
    "unset|unbound|exceed|503|enoent|eacces|enospc|eai_|ora-|set the|specify|core dumped|"
    "sigsegv|segm|writable|writeable|placeholder|502|504|unauth|noauth|wrongpass|damaged|"
    "p20|pending|mismatch|dirty|flyway|inotify|nxdomain|exhaust|unavailable|unreach|"
    "before|skew|goroutine|overflow|terminate|dpath|emerg|x509|certificate|tls|handshake|p30|"
    "response to|request to|detected|empty|blank|nicht|keine|abgelehnt|inconnu|aucun|denegado|"
    "desconocid|"
    "misbehav|sconosciut|rehusada|rifiutata|negato|esaurito|inexist|esistente|fallit|falhou|fehlgeschlagen"
)
"""Parts of a line one of which every sentence of the table has: most lines have none."""
_HINTS = tuple(_HINT.split("|"))
_NOISE = re.compile(
    r"HTTP/\d(?:\.\d)?\" \d{3} |^\s*-{1,2}[a-z][\w-]+[ =].{0,40}\s{2,}"
    r"|^\s*at [\w.$<>/]+\(|^Try .{0,60}--help|^\s+File \"|^\s*\.\.\. \d+ more|^#\d+ "
    r"|^# (?:HELP|TYPE) |^\w+(?:\{[^}]*\})? [\d.e+]+$"
    r"|^\s*(?:npm|yarn) (?:ERR!|error) (?:code|exit|errno)",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*\|?\s*\* (?:permission denied|\d+ errors? occurred)\b", re.IGNORECASE)
"""An item of an answer of Vault: the line above it has the status."""
_PART = re.compile(
    r"^\s+\w+: ['\"]?\w+['\"]?,?$|^goroutine \d+ \[|^\[signal "
    r"|.{0,80}\b(?:check|see) (?:the )?(?:\w+ )?logs? (?:at|for|in)\b",
    re.IGNORECASE,
)
"""A field of an object that a program prints over several lines, the head of a stack, and where a
log is: they say less than the line before them."""
_EXPLAINS = re.compile(
    r"(?:[\w.-]{1,40}: )?(?:detail|hint|context|statement|location):\s", re.IGNORECASE
)
"""What PostgreSQL and its tools add to an error (src/backend/utils/error/elog.c)."""
_NAMES = re.compile(r"'/[^']+'|\b[\w.-]+:\d{2,5}\b")
_TRACE = 24
"""Lines of a stack trace between an exception and its cause."""
_RETRY = re.compile(r"\b(?:re-?try|again|attempt|will wait|waiting)", re.IGNORECASE)
_CONNECTED = re.compile(
    r"\b(?:re)?connected to\b|\bconnection (?:is |was )?(?:established|restored)", re.IGNORECASE
)
_NO_DNS = re.compile(
    r"EAI_AGAIN|temporary failure in name resolution|lookup \S+(?: on \S+)?: (?:read |dial )?"
    r"(?:udp|tcp|i/o timeout|server misbehaving)",
    re.IGNORECASE,
)
_SOLVED = re.compile(
    r"\b(?:0 errors?|no errors?|retry ok|reconnected|recovered|succeeded|successfully|resolved)\b",
    re.IGNORECASE,
)
_START = re.compile(
    r"^(?:(?:[\w.$]+\.)+)(?=[A-Z]\w*(?:Exception|Error)\b)"
    r"|^(?:Caused by|Likely root cause):\s*|^Error: (?=Error)"
    r"|^panic: (?=\S+ \S+)|^Unhandled exception\. ?|^#? *(?:---> )?"
    r"|^failed to (?:create containerd task|create shim task|start container \S+): (?=.)"
    r"|^OCI runtime create failed: |^runc create failed: "
    r"|^.*\bCaused by NameResolutionError\([\"']<[^>]*>: "
    r"|^unable to start container process: (?:error during container init: )?",
)
_SECRET = re.compile(
    r"(?P<lead>://[^\s/@:]*:(?=\S*@)|(?:passw|pwd|secret|token)\w*=)[^\s@,;)]+",
    re.IGNORECASE,
)
_TWICE = re.compile(r"(?P<words>\b\S[^()]{5,80}?) ?\((?P=words)\)", re.IGNORECASE)
"""The C library of Java says it twice: `Connection refused (Connection refused)`."""
_PREFIX = re.compile(
    r"^(?:[A-Z]\w*(?:\.\w+)*(?:Error|Exception))(?: \(0x[0-9a-f]+\))?: (?=\S+ \S+)"
)


class Classification(msgspec.Struct, frozen=True):
    """`class_` of `triage.logs.sentences.CLASSES`, the sentence that decides, and the address that
    it names. `line` is the sentence's place in the log, counted from 0. `no_dns`: no name server
    answered, which says nothing about the name. `proven`: the words name what the class is about
    (`triage.logs.proof`)."""

    class_: str
    sentence: str
    address: Address | None
    line: int
    no_dns: bool = False
    proven: bool = True


def verdict(lines: Sequence[str]) -> Classification | None:
    """The deciding sentence, None for none. A cause comes before a mere end, an error before a
    note, a later line before an earlier one."""
    best: tuple[tuple[int, bool], Classification] | None = None
    lines = [bare(line) for line in lines]
    seen: set[str] = set()
    connected = False
    for at in range(len(lines) - 1, -1, -1):
        connected = connected or _CONNECTED.search(lines[at]) is not None
        if not _may_decide(lines[at]):
            continue
        one = message(lines[at])
        if (nested := innermost(one.text)) != one.text:
            one = replace(one, text=nested)
        if one.text in seen:
            continue
        seen.add(one.text)
        wrapper = wraps(one.text)
        class_ = classify(one)
        if (wrapper and class_ in _WEAK) or (class_ is None and is_inner(lines[at])):
            class_ = "panic"
        if class_ is None:
            continue
        peer = address(one.text) if class_ in _PEER else None
        note = one.level <= Level.INFO and class_ not in _QUIET_TOO
        if note and (one.level is Level.DEBUG or peer is None or class_ not in _WAITED_FOR):
            continue
        if connected and class_ in _WAITED_FOR and _RETRY.search(one.text):
            continue
        part = wrapper or _PART.match(lines[at]) is not None
        rank = (_WEIGHT.get(class_, 2) - part, not note)
        if best is None or rank > best[0]:
            if peer is None and class_ in _PEER:
                peer = _near(lines, at)
            text = _outer(lines, at, class_) or _joined(one.text, lines, at)
            no_dns = _NO_DNS.search(one.text) is not None
            proven = proves(class_, text, lines, at)
            said = sentence(text, class_)
            if class_ == "config-invalid" and said.startswith("…"):
                proven = False  # what it is about is cut off
            if class_ in _PEER and peer is None:
                said = _of_server(said, lines[at:])
            best = (rank, Classification(class_, said, peer, at, no_dns, proven))
        if rank == _BEST:
            break
    return best[1] if best is not None else None


def _outer(lines: Sequence[str], at: int, class_: str) -> str:
    """The exception around an inner one of the same class, where it alone names an address or a
    path; "" for none."""
    if class_ == "panic" or not is_inner(lines[at]) or _NAMES.search(lines[at]):
        return ""
    for line in reversed(lines[max(0, at - _TRACE) : at]):
        if _may_decide(line) and _NAMES.search(text := message(line).text):
            return text if classify(message(line)) == class_ else ""
    return ""


def _of_server(said: str, lines: Sequence[str]) -> str:
    """A sentence without an address, with the kind of server whose driver says it."""
    kind = server(tuple(lines))
    return f"{kind}: {said}" if kind and kind.lower() not in said.lower() else said


def _joined(text: str, lines: Sequence[str], at: int) -> str:
    """A sentence that ends in a colon goes on in the next line."""
    if not text.endswith(":"):
        return text
    after = (line.strip(" -|*") for line in lines[at + 1 :])
    return f"{text} {next((line for line in after if line), '')}".rstrip()


def last_line(lines: Sequence[str]) -> str:
    """The last line that may describe an end: neither a program's note nor an access log, nor what
    only explains the line before it."""
    for line in map(bare, reversed(lines)):
        if line.strip() and _NOISE.search(line) is None and not wraps(line):
            one = message(line)
            if one.level > Level.INFO and _EXPLAINS.match(one.text) is None:
                return one.text[:LONG]
    return ""


def _may_decide(line: str) -> bool:
    lower = line[:LONGEST].lower()
    hinted = is_inner(line) or not lower.isascii() or any(hint in lower for hint in _HINTS)
    return hinted and _NOISE.search(line) is None and _ITEM.match(line) is None


def _near(lines: Sequence[str], at: int) -> Address | None:
    """The address near a sentence without one: after it first."""
    texts = [message(line).text for line in lines[max(0, at - _NEAR) : at + _NEAR + 1]]
    place = min(at, _NEAR)
    return address_near((" ".join(texts[place:]), *reversed(texts[:place])))


def classify(one: Message) -> str | None:
    """The class of one line, None where it has none. What a program calls fatal ends it, also in
    words that no pattern has."""
    if _SOLVED.search(one.text) and one.level < Level.ERROR:
        return None
    found = next((name for name, pattern in patterns() if pattern.search(one.text)), None)
    return "panic" if found is None and one.level is Level.FATAL else found


def sentence(text: str, class_: str = "") -> str:
    """A line as it is quoted: without exception classes before a sentence, and shortened around the
    last words of its class, which are those of the cause."""
    text = _SECRET.sub(r"\g<lead>…", " ".join(text.split())).removeprefix("| ")
    for _ in range(8):
        shorter = _PREFIX.sub("", _START.sub("", text))
        if shorter == text:
            break
        text = shorter
    text = _TWICE.sub(r"\g<words>", text)
    if len(text) <= LONG:
        return text
    found = [
        m for name, pattern in patterns() if class_ in ("", name) for m in pattern.finditer(text)
    ]
    first, end = (found[0].start(), found[-1].end()) if found else (0, 0)
    middle = (max(first, end - LONG) + end) // 2
    start = max(0, min(middle - LONG // 2, len(text) - LONG))
    cut = text[start : start + LONG]
    return f"{'…' if start else ''}{cut.strip()}{'…' if start + LONG < len(text) else ''}"
