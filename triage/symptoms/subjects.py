"""Sentences about one or several objects, as a person says them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from triage.facts.finding import Finding
from triage.facts.messages.wording import first_two


class Subject(NamedTuple):
    """The subject of a title, and whether it is plural."""

    name: str
    several: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def its(self) -> str:
        return "their" if self.several else "its"

    def be(self, verb: str) -> str:
        """The subject with `is`, `was` or `has` in its number."""
        plural = {"is": "are", "was": "were", "has": "have", "has been": "have been"}
        return f"{self.name} {plural[verb] if self.several else verb}"


_VERB = re.compile(
    r"(?:blocks|cannot|claims|could|did|does|ended|evicts|failed|gave|got|has|holds|is|keeps|leads|names"
    r"|rebooted|refuses|runs|stays|took|waits|wants|was|uses)[ :]"
)
"""Claims that are the rest of a sentence about their object."""


_STATE = {
    **dict.fromkeys(("not", "cordoned", "half", "held", "open", "running,", "still"), "is"),
    **dict.fromkeys(("evicted", "refused", "removed", "restarted", "rolled"), "was"),
    "silent": "has been",
    "no": "has",
}
"""First words of claims that are a state, and the verb that they lack."""


_DRIFT = re.compile(r"runs another image on (.+?) than on (.+)", re.DOTALL)


_SHARE = re.compile(r"\d+ of \d+ replicas ready")


def sentence(subject: Subject, claim: str) -> str:
    """A claim as a person says it: `web is not ready`, `the Lease of node-b2 …`. A claim with a
    subject of its own stands behind a colon."""
    if claim.startswith("pods cannot be created"):
        return f"pods of {subject} {claim.removeprefix('pods ')}"
    if claim.startswith(("the cluster's DNS", "the ingress controller", "the control plane of")):
        return f"{subject}, {claim}"
    if claim.startswith("Helm release "):
        return claim
    first, _, rest = claim.partition(" ")
    if subject.several and first in ("was", "is", "has"):
        return f"{subject.be(first)} {rest.replace(', and is ', ', and are ')}"
    if subject.several and first == "rebooted":
        return f"{subject} {claim}"
    if claim.startswith("ended by "):
        return f"{subject.be('was')} {claim}"
    if not subject.several and (found := _DRIFT.fullmatch(claim)):
        return f"{subject} on {found[1]} runs another image than {found[2]}"
    if not subject.several and _VERB.match(claim):
        return f"{subject} {claim}"
    if first in _STATE:
        return f"{subject.be(_STATE[first])} {claim}"
    if _SHARE.match(claim):
        return f"{subject.be('has')} {claim}"
    if first == "its" and not subject.several:
        return f"{subject}'s {rest}"
    return f"{subject}: {claim}"


_CALLED = {
    "PersistentVolumeClaim": "claim",
    "PersistentVolume": "volume",
    "Namespace": "namespace",
    "HorizontalPodAutoscaler": "autoscaler",
    "PodDisruptionBudget": "disruption budget",
    "ResourceQuota": "quota",
    "APIService": "API",
    "Certificate": "certificate",
    "ClusterIssuer": "cluster issuer",
    "Issuer": "issuer",
    **{kind: kind for kind in ("Service", "Ingress", "Job", "CronJob", "Gateway")},
    **{kind: kind for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")},
}
"""What a person calls an object of that kind; pods, nodes and workloads have their name alone."""


def name_of(finding: Finding) -> str:
    kind = _CALLED.get(finding.object.kind, "")
    return f"{kind} {finding.object.name}".strip()


def who_of(findings: Sequence[Finding]) -> Subject:
    """`web`, `3 pods of web`, `4 pods of cart and web` or `7 pods of cart, feed and 3 more`."""
    owners = Counter(str(f.facts.get("owner") or f.object.name) for f in findings)
    pods = len({f.object for f in findings})
    if len(owners) > 1:
        return Subject(f"{pods} pods of {first_two(sorted(owners))}", several=True)
    name = min(owners)
    return Subject(f"{pods} pods of {name}", several=True) if pods > 1 else Subject(name)
