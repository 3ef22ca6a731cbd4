"""Workloads that fail at one dependency: their last words are the same, and they began together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from triage.facts.finding import Fact, Finding
from triage.facts.windows import EDGE, TOGETHER
from triage.symptoms.unnamed_peers import owner_of

_OF_A_PEER = frozenset(
    {
        "too-many-connections",
        "peer-memory-full",
        "credentials-refused",
        "unreachable",
        "name-not-found",
        "tls-refused",
        "read-only",
    }
)
"""Classes of words about something that several workloads use."""
_VARIES = re.compile(r"[0-9a-f]*\d[0-9a-f]*")
"""Numbers, addresses and ids in a sentence."""


def pairs(findings: Iterable[Finding]) -> Iterator[tuple[Finding, Finding]]:
    """Findings that belong together: equal words that began within half an hour of each other in
    one namespace, and crash loops without words of their own that began with them and end with the
    same exit code."""
    listed = [f for f in findings if f.object.kind == "Pod" and f.since is not None]
    alike: dict[tuple[Fact, ...], list[Finding]] = {}
    for finding in listed:
        if _about_a_peer(finding):
            alike.setdefault(_key(finding), []).append(finding)
    if not alike:
        return
    told = {owner_of(f) for f in listed if f.rule == "pod-last-words" and not undecided(f)}
    silent = [
        f
        for f in listed
        if (f.rule == "pod-crash-looping" or undecided(f)) and owner_of(f) not in told
    ]
    for group in alike.values():
        for together in _together(group):
            yield from pairwise(together)
            yield from ((together[0], f) for f in _servers(listed, together[0]))
            if len({owner_of(f) for f in together}) > 1:
                yield from ((together[0], f) for f in silent if _began_with(f, together))


def _servers(listed: list[Finding], client: Finding) -> list[Finding]:
    """What the only server of the namespace says of itself in its probe, where it is the same."""
    found = [
        f
        for f in listed
        if f.rule == "pod-last-words"
        and not f.facts["container"]
        and f.facts["class"] == client.facts["class"]
        and f.object.namespace == client.object.namespace
    ]
    return found if len({owner_of(f) for f in found}) == 1 else []


def undecided(finding: Finding) -> bool:
    """Whether words say that something was not reached, and neither what nor how."""
    facts = finding.facts
    return (
        finding.rule == "pod-last-words"
        and facts["class"] == "unreachable"
        and not facts["proven"]
        and not facts["host"]
    )


def _about_a_peer(finding: Finding) -> bool:
    facts = finding.facts
    if finding.rule != "pod-last-words" or facts["class"] not in _OF_A_PEER or undecided(finding):
        return False
    return facts["class"] != "read-only" or not facts["proven"]  # proven: its own file system


def _key(finding: Finding) -> tuple[Fact, ...]:
    facts = finding.facts
    said = "" if facts["host"] else _VARIES.sub("#", str(facts["sentence"]))
    return finding.object.namespace, facts["class"], facts["host"], facts["port"], said


def _together(group: list[Finding]) -> Iterator[list[Finding]]:
    """The findings in the order of time, cut where half an hour is between two."""
    ordered = sorted(group, key=lambda f: (str(f.since), f.id))
    begin = 0
    for at, (one, other) in enumerate(pairwise(ordered), 1):
        if one.since and other.since and other.since - one.since > EDGE:
            yield ordered[begin:at]
            begin = at
    yield ordered[begin:]


def _began_with(finding: Finding, together: list[Finding]) -> bool:
    first, last = together[0], together[-1]
    if finding.since is None or first.since is None or last.since is None:
        return False
    return (
        finding.object.namespace == first.object.namespace
        and finding.facts.get("exit_code") == first.facts.get("exit_code")
        and first.since - TOGETHER <= finding.since <= last.since + EDGE
    )
