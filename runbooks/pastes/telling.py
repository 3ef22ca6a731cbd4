"""The lines of a paste that say what is wrong."""

from __future__ import annotations

import re

TELLING = 40
"""Lines of a log that are compared with runbooks."""
URL = re.compile(r"https?://[^\s\"'<>|)\]]+")
STAMP = re.compile(
    r"\b(\d{4}[-/]\d\d[-/]\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?\s?(Z|UTC|[+-]\d\d:?\d\d)?"
)
EVENT = re.compile(
    r"^(?:\S+\s+)??(?:<unknown>|[\dsmhd]+(?: \(x\d+ over [\dsmhd]+\))?)\s+"
    r"(Normal|Warning)\s+(\S+)\s+(\S+/\S+)\s+(.*)$"
)
FIELD = re.compile(r"^(Name|Namespace|Node|Controlled By|Reference):\s+(\S+)", re.MULTILINE)
_TELLING = re.compile(
    r"error|err\b|fail|fatal|panic|exception|denied|refused|time[d ]?-?out|kill|warn|cannot|can't"
    r"|unable|caused by|not |no |oom|evict|back-?off|unhealthy|exceed|insufficient|forbidden"
    r"|unauthorized|invalid|unknown|missing|lost|reset|expired|stuck|full|exit|reason:|message:"
    r"|traceback|crash|restarted|abort|dropp|pending|throttl",
    re.IGNORECASE,
)
_QUIET = re.compile(
    r"^\s*(?:(?:-\s*)?(?:prometheus|severity|endpoint|container_id|uid|image_id|generatorurl"
    r"|silenceurl|dashboard\w*|externalurl|fingerprint|groupkey|receiver|version|qos class"
    r"|annotations|labels|image id|container id|host port)\s*[=:].*|source:.*)$",
    re.IGNORECASE,
)


def telling_lines(text: str) -> list[str]:
    """The lines that say what is wrong: all of a short text, of a long one those with a word of
    failure, and without links and fields that every alert has."""
    rows = [" ".join(URL.sub(" ", row).split()) for row in text.splitlines()]
    rows = [row for row in rows if row and not _QUIET.match(row)]
    listed = [found for row in rows if (found := EVENT.match(row))]
    warnings = [found for found in listed if found[1] == "Warning"]
    if listed:
        return list(dict.fromkeys(f"{found[2]} {found[4]}" for found in warnings or listed))
    if len(rows) <= 3:
        return rows
    kept = list(dict.fromkeys(_timeless(row) for row in rows if _TELLING.search(row)))
    described = len(FIELD.findall(text)) > 1
    if len(rows) <= TELLING and len(kept) < len(rows) // 3 and not described:
        return list(dict.fromkeys(rows))
    half = TELLING // 2
    return kept if len(kept) <= TELLING else [*kept[:half], *kept[-half:]]


def _timeless(row: str) -> str:
    """A line without its times, so that lines which differ in nothing else are one."""
    return " ".join(STAMP.sub(" ", row).split())
