"""Contributing factors: those that people recorded, and candidates from observations. Row T24,
story 004.

There is never one root cause: a factor is one of several, each with its own resolution. A candidate
cites observations and asserts nothing; a person confirms or drops it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from timeline.entry import Entry
from timeline.metrics import milestones, spoken
from timeline.revisions import RevisedEntry
from timeline.story import NEAR, Story

KINDS: Final = ("trigger", "latent", "detection", "observability", "process", "knowledge")


_MOST_CHANGES: Final = 4
"""Most changes offered as triggers; the lead-up has all."""
_LATE: Final = 600.0
"""Seconds between the first sign and its detection from which the delay is a factor."""
_UNLIMITED: Final = re.compile(r"without a memory limit: \d+ of [\d,]+ \w+: (.{1,160})")
"""The message of a check about containers without a limit, and which."""
_WHY: Final = 160
"""Most characters of the sentence that suggests a factor."""
_REVERTED: Final = re.compile(
    r"next (?:upgrade|sync|release) reverts|reverts? the change", re.IGNORECASE
)


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One contributing factor. `seqs` are the supporting entries; the tool proposed those with
    `candidate`."""

    title: str
    kind: str
    seqs: tuple[int, ...]
    resolution: str = ""
    status: str = "new"
    candidate: bool = False
    why: str = ""
    """The sentence of the observation or check that suggests it."""


def _hint(kind: str, title: str, pattern: str) -> tuple[str, str, re.Pattern[str]]:
    return kind, title, re.compile(pattern, re.IGNORECASE)


_HINTS: Final = (
    _hint(
        "latent",
        "Workloads run without resource limits",
        r"\b(?:no|without|missing|unset) (?:\w+ ){0,2}limits?\b",
    ),
    _hint(
        "latent",
        "Workloads run without resource requests",
        r"\b(?:no|without|missing|unset) (?:\w+ ){0,2}requests?\b",
    ),
    _hint(
        "latent",
        "A mutable image tag: what runs depends on when it was pulled",
        r":latest\b|tag \W?latest|mutable tag|another image|image drift|digests? differ",
    ),
    _hint(
        "latent",
        "A single replica: nothing takes over",
        r"\b(?:single|one|only one|1|only) replica\b|replicas?[:=] ?1\b|\b1 of 1 pods?\b",
    ),
    _hint(
        "latent",
        "All replicas on one node",
        r"all (?:\d+ )?replicas .*(?:same|one) node|packed on (?:one|the same) node",
    ),
    _hint(
        "latent",
        "A failing health probe takes pods out of service or restarts them",
        r"(?:readiness|liveness|startup) probe fail",
    ),
    _hint(
        "observability",
        "Monitoring failed together with what it watches",
        r"(?:prometheus|grafana|alertmanager|monitoring)\b.*"
        r"\b(?:same node|down|not ready|unavailable|evicted|pending)",
    ),
    _hint("detection", "No alert fired", r"\bno alerts?\b|alert (?:did not|never) fire"),
    _hint(
        "latent",
        "No PodDisruptionBudget",
        r"\b(?:no|without|without a) (?:PodDisruptionBudget|PDB)\b",
    ),
    _hint("trigger", "A node ran out of memory", r"\bSystemOOM\b|system oom|node .*out of memory"),
    _hint("trigger", "Containers ran over their memory limit", r"\bOOMKilled\b"),
    _hint(
        "trigger",
        "Keys disappeared from a Secret or ConfigMap",
        r"keys? (?:lost|removed|gone)|lost (?:its )?keys?|emptied",
    ),
    _hint(
        "latent",
        "Nodes run different versions",
        r"(?:versions?|kubelets?|kernels?)\b[^:;]{0,40}\b(?:skew|differs?|mixed)",
    ),
    _hint("latent", "A certificate expired", r"certificate .*expire"),
    _hint(
        "latent",
        "A resource of fixed size ran out",
        r"(?:quota|addresses|pod IPs?|disk|inodes)\b.*\b(?:exhausted|full|used up|exceeded)",
    ),
)
"""Patterns of observations: the kind of factor, its name, and the words that suggest it."""


def factors(lines: Sequence[RevisedEntry], story: Story) -> Sequence[Factor]:
    """Recorded factors first, then candidates, each title once; a candidate always cites at least
    one entry."""
    recorded = [
        _recorded(line)
        for line in lines
        if line.entry.kind == "contributing-factor" and not line.hidden
    ]
    taken = {factor.title.casefold() for factor in recorded}
    found: dict[str, Factor] = {}
    for candidate in (*_triggers(story), *_hinted(lines, story), *_noticed_late(lines, story)):
        before = found.get(candidate.title)
        if candidate.title.casefold() in taken:
            continue
        seqs = tuple(dict.fromkeys((*(before.seqs if before else ()), *candidate.seqs)))
        found[candidate.title] = msgspec.structs.replace(before or candidate, seqs=seqs)
    return [*recorded, *found.values()]


def _triggers(story: Story) -> Iterator[Factor]:
    """The changes nearest before the first sign, without this tool's own."""
    if story.first is None:
        return
    for change in reversed(story.before(NEAR)[-_MOST_CHANGES:]):
        ahead = (story.first.occurred_at - change.at).total_seconds()
        when = f"{spoken(ahead)} before the first sign" if ahead > 0 else "with the first sign"
        named = change.object.casefold() in change.what.casefold()
        object_ = "" if named else f"{change.object} "
        yield Factor(
            title=f"Changed {when}: {object_}{change.what}{change.by}",
            kind="trigger",
            seqs=change.seqs,
            candidate=True,
        )


def _hinted(lines: Sequence[RevisedEntry], story: Story) -> Iterator[Factor]:
    """Factors that observations, rankings, checks and probes name."""
    for line in lines:
        entry = line.entry
        if line.hidden or entry.pending:
            continue
        for said in _said(entry, story):
            if unlimited := _UNLIMITED.search(said):
                title = f"No memory limit on {unlimited[1]}"
                yield Factor(title=title, kind="latent", seqs=(entry.seq,), candidate=True)
                continue
            for kind, title, pattern in _HINTS:
                if found := pattern.search(said):
                    why = said[said.rfind("; ", 0, found.start()) + 1 :].strip().rstrip(".")
                    told = why.find(": ", max(0, why.find(found[0])) + len(found[0]))
                    why = why if told < 0 else why[:told]
                    why = why if len(why) <= _WHY else why[:_WHY] + " …"
                    yield Factor(title=title, kind=kind, seqs=(entry.seq,), candidate=True, why=why)
        if entry.kind == "step-result" and entry.data.get("answer") == "unknown":
            asked = story.asked.get(entry.id)
            yield Factor(
                title="A question could not be answered while it mattered",
                kind="knowledge",
                seqs=(entry.seq,),
                candidate=True,
                why=asked.text if asked is not None else entry.text,
            )
        if entry.kind == "action-intent" and _REVERTED.search(str(entry.data.get("warnings", ""))):
            yield Factor(
                title="A change by hand does not last: a release tool owns the object",
                kind="process",
                seqs=(entry.seq,),
                candidate=True,
            )


def _noticed_late(lines: Sequence[RevisedEntry], story: Story) -> Iterator[Factor]:
    detected = milestones(lines).entries.get("detected")
    if detected is None or story.first is None:
        return
    late = (detected.occurred_at - story.first.occurred_at).total_seconds()
    if late >= _LATE:
        yield Factor(
            title=f"Noticed {spoken(late)} after the first sign",
            kind="detection",
            seqs=(story.first.seq, detected.seq),
            candidate=True,
        )


def _said(entry: Entry, story: Story) -> list[str]:
    """The sentences of an entry that report a fault."""
    data = entry.data
    if entry.kind == "observation":
        claims = [str(each.get("claim", "")) for each in _dicts(data.get("findings"))]
        touched = [f"{each.get('object')}: {each.get('why')}" for each in _dicts(data.get("blast"))]
        return [entry.text, *claims, *touched]
    if entry.kind == "match":
        reasons = data.get("for", ())
        return [str(reason) for reason in reasons] if isinstance(reasons, (list, tuple)) else []
    if entry.kind == "step-result" and data.get("state") == "failed":
        asked = story.asked.get(entry.id)
        return [entry.text, *([f"{asked.text} {entry.text}"] if asked is not None else [])]
    if entry.kind == "probe-result":
        return [str(each.get("claim", "")) for each in _dicts(data.get("conclusions"))]
    return []


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _recorded(line: RevisedEntry) -> Factor:
    entry = line.entry
    cited = entry.data.get("seqs", ())
    seqs = (
        tuple(seq for seq in cited if isinstance(seq, int))
        if isinstance(cited, (list, tuple))
        else ()
    )
    kind = str(entry.data.get("factor_kind", ""))
    return Factor(
        title=entry.text,
        kind=kind if kind in KINDS else "unsorted",
        seqs=(entry.seq, *seqs),
        resolution=str(entry.data.get("resolution", "")),
        status=str(entry.data.get("status", "new")),
    )
