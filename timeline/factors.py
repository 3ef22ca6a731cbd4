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


# The kind of factor that an observation may be, how the factor would be called, and what the
# observation says.
_HINTS: Final[tuple[tuple[str, str, re.Pattern[str]], ...]] = (
    (
        "latent",
        "Workloads run without resource limits",
        re.compile(r"\b(?:no|without|missing|unset) (?:\w+ ){0,2}limits?\b", re.IGNORECASE),
    ),
    (
        "latent",
        "Workloads run without resource requests",
        re.compile(r"\b(?:no|without|missing|unset) (?:\w+ ){0,2}requests?\b", re.IGNORECASE),
    ),
    (
        "latent",
        "A mutable image tag: what runs depends on when it was pulled",
        re.compile(
            r":latest\b|tag \W?latest|mutable tag|another image|image drift|digests? differ",
            re.IGNORECASE,
        ),
    ),
    (
        "latent",
        "A single replica: nothing takes over",
        re.compile(
            r"\b(?:single|one|only one|1) replica\b|replicas?[:=] ?1\b|\b1 of 1 pods?\b",
            re.IGNORECASE,
        ),
    ),
    (
        "latent",
        "All replicas on one node",
        re.compile(
            r"all (?:\d+ )?replicas .*(?:same|one) node|packed on (?:one|the same) node",
            re.IGNORECASE,
        ),
    ),
    (
        "latent",
        "A failing health probe takes pods out of service or restarts them",
        re.compile(r"(?:readiness|liveness|startup) probe fail", re.IGNORECASE),
    ),
    (
        "observability",
        "Monitoring failed together with what it watches",
        re.compile(
            r"(?:prometheus|grafana|alertmanager|monitoring)\b.*\b(?:same node|down|not "
            r"ready|unavailable|evicted|pending)",
            re.IGNORECASE,
        ),
    ),
    (
        "detection",
        "No alert fired",
        re.compile(r"\bno alerts?\b|alert (?:did not|never) fire", re.IGNORECASE),
    ),
    (
        "latent",
        "No PodDisruptionBudget",
        re.compile(r"\b(?:no|without|without a) (?:PodDisruptionBudget|PDB)\b", re.IGNORECASE),
    ),
    (
        "trigger",
        "A node ran out of memory",
        re.compile(r"\bSystemOOM\b|system oom|node .*out of memory", re.IGNORECASE),
    ),
    (
        "trigger",
        "Containers ran over their memory limit",
        re.compile(r"\bOOMKilled\b", re.IGNORECASE),
    ),
    (
        "trigger",
        "Keys disappeared from a Secret or ConfigMap",
        re.compile(r"keys? (?:lost|removed|gone)|lost (?:its )?keys?|emptied", re.IGNORECASE),
    ),
    (
        "latent",
        "Nodes run different versions",
        re.compile(
            r"(?:version|kubelet|kernel)\b.*\b(?:skew|differs?|another|mixed)", re.IGNORECASE
        ),
    ),
    (
        "latent",
        "A certificate expired",
        re.compile(r"certificate .*expire", re.IGNORECASE),
    ),
    (
        "latent",
        "A resource of fixed size ran out",
        re.compile(
            r"(?:quota|addresses|pod IPs?|disk|inodes)\b.*\b(?:exhausted|full|used up|exceeded)",
            re.IGNORECASE,
        ),
    ),
)


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
