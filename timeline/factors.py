"""Contributing factors: those that people recorded, and candidates that the observations suggest.
Row T24, story 004.

There is never one root cause here: a factor is one of several, each with its own resolution.
Candidates are read off observations, cite them, and assert nothing; a person confirms or drops
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from timeline.entry import Entry
from timeline.revisions import RevisedEntry

KINDS: Final = ("trigger", "latent", "detection", "observability", "process", "knowledge")


_MOST_CHANGES: Final = 6
"""Changes offered as triggers; the rest is in the observations."""


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One contributing factor. `seqs` are the entries that speak for it; `candidate` ones were
    proposed by the tool."""

    title: str
    kind: str
    seqs: tuple[int, ...]
    resolution: str = ""
    status: str = "new"
    candidate: bool = False


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
        r"\b(?:single|one|only one|1) replica\b|replicas?[:=] ?1\b|\b1 of 1 pods?\b",
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
        r"(?:version|kubelet|kernel)\b.*\b(?:skew|differs?|another|mixed)",
    ),
    _hint("latent", "A certificate expired", r"certificate .*expire"),
    _hint(
        "latent",
        "A resource of fixed size ran out",
        r"(?:quota|addresses|pod IPs?|disk|inodes)\b.*\b(?:exhausted|full|used up|exceeded)",
    ),
)
"""The kind of factor that an observation may be, what the factor is called, and what the
observation says."""


def factors(lines: Sequence[RevisedEntry]) -> Sequence[Factor]:
    """Recorded factors first, then candidates, each kind once; a candidate always cites at least
    one observation."""
    recorded = [
        _recorded(line)
        for line in lines
        if line.entry.kind == "contributing-factor" and not line.hidden
    ]
    taken = {factor.title.casefold() for factor in recorded}
    candidates: dict[str, Factor] = {}
    changes: dict[str, Factor] = {}
    for line in lines:
        entry = line.entry
        if entry.kind != "observation" or line.hidden or entry.pending:
            continue
        said = _said(entry)
        for kind, title, pattern in _HINTS:
            if title.casefold() not in taken and pattern.search(said):
                before = candidates.get(title)
                seqs = (*before.seqs, entry.seq) if before else (entry.seq,)
                candidates[title] = Factor(title=title, kind=kind, seqs=seqs, candidate=True)
        for title in _changes(entry):
            if len(changes) < _MOST_CHANGES or title in changes:
                before = changes.get(title)
                seqs = (*before.seqs, entry.seq) if before else (entry.seq,)
                changes[title] = Factor(title=title, kind="trigger", seqs=seqs, candidate=True)
    return [*recorded, *changes.values(), *candidates.values()]


def _said(entry: Entry) -> str:
    """The text of an observation and the claims of its findings, a line each."""
    findings = entry.data.get("findings", ())
    claims = (
        [str(finding.get("claim", "")) for finding in findings if isinstance(finding, dict)]
        if isinstance(findings, list)
        else []
    )
    return "\n".join([entry.text, *claims])


def _changes(entry: Entry) -> list[str]:
    """What changed shortly before, as the observation knows it."""
    changes = entry.data.get("changes", ())
    if not isinstance(changes, list):
        return []
    found = [change for change in changes if isinstance(change, dict)]
    return [
        f"Changed shortly before: {change.get('object', '')} {change.get('what', '')} "
        f"({change.get('at', '')})"
        for change in found
    ]


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
