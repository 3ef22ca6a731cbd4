"""Findings by rule and by object, for detectors that read findings instead of the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import Ref
from triage.facts.finding import Finding
from triage.facts.population import Population
from triage.facts.reads.results import FINDINGS, POPULATION, Reads


class FindingIndex:
    """The findings of one moment, growing while the detectors over them run."""

    def __init__(self, population: Population, reads: Reads | None = None) -> None:
        self._population = population
        self._noted = reads.noted if reads is not None else set()
        self._all: dict[str, Finding] = {}
        self._rule: dict[str, dict[str, Finding]] = {}
        self._object: dict[Ref, dict[str, Finding]] = {}
        self._ordered: dict[str, list[Finding]] = {}
        """By id, of a rule that was asked for; of all under ""."""

    @property
    def population(self) -> Population:
        """Counts over all pods."""
        self._noted.add(POPULATION)
        return self._population

    def add(self, finding: Finding) -> None:
        """Add a finding; one with the same id is replaced."""
        self._ordered.pop(finding.rule, None)
        self._ordered.pop("", None)
        self._all[finding.id] = finding
        self._rule.setdefault(finding.rule, {})[finding.id] = finding
        self._object.setdefault(finding.object, {})[finding.id] = finding

    def rule(self, rule: str) -> list[Finding]:
        """Findings of a rule, by id."""
        self._noted.add(("rule", rule))
        return self._by_id(rule, self._rule.get(rule, {}))

    def about(self, ref: Ref) -> list[Finding]:
        """Findings about an object, by id."""
        self._noted.add(("about", ref))
        return [f for _, f in sorted(self._object.get(ref, {}).items())]

    def all(self) -> Iterator[Finding]:
        """All findings, by id."""
        self._noted.add(FINDINGS)
        return iter(self._by_id("", self._all))

    def _by_id(self, rule: str, found: dict[str, Finding]) -> list[Finding]:
        known = self._ordered.get(rule)
        if known is None:
            known = self._ordered[rule] = [found[id_] for id_ in sorted(found)]
        return known

    def __len__(self) -> int:
        self._noted.add(FINDINGS)
        return len(self._all)
