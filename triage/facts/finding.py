"""Findings, symptoms, cohorts and changes, as values that cross the folders."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from cluster.kube.images import short_digest
from cluster.kube.objects import Ref

Fact = str | int | float | bool | None | tuple[str, ...]


class Severity(enum.StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANK[self]


_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


class SinceSource(enum.StrEnum):
    """How the beginning of a finding is known."""

    CONDITION = "condition"
    EVENT = "event"
    STATUS = "status"
    MANAGED_FIELDS = "managedFields"
    CREATION = "creation"
    FIRST_SEEN = "first seen"
    """The time when it was first read; it may be older."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One observed fact: where it was read (object and field, or event) and what it said."""

    source: str
    text: str
    at: datetime | None = None


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One abnormal fact about one object.

    `id` is stable for the same fact on the same object: `rule:Kind/namespace/name[:detail]`.
    `rule` names the signal (`node-not-ready`, `daemonset-image-drift`, …): runbooks match on it and
    on `facts`.
    `active` is False for an edge that is over but recent (a container that runs again after
    OOMKilled ten minutes ago).
    """

    id: str
    rule: str
    object: Ref
    claim: str
    severity: Severity
    severity_rule: str
    since: datetime | None
    since_source: SinceSource
    evidence: tuple[Evidence, ...] = ()
    facts: Mapping[str, Fact] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    related: tuple[Ref, ...] = ()
    active: bool = True
    young: bool = False
    """Its grace period is not over: a note with its cause, which may pass."""


SHARED = {
    "node": "on",
    "namespace": "in namespace",
    "zone": "in zone",
    "node pool": "in node pool",
    "owner": "belong to",
    "image": "run the image",
    "image digest": "run the image",
    "created after": "were created after",
    "node created after": "on nodes created after",
    "service account": "use the service account",
    "priority class": "have the priority class",
    "storage class": "use the storage class",
    "volume driver": "use the volume driver",
}
"""Words between a count of objects and the value that they share: "7 of 7 on node-2"."""


class SharedAttribute(msgspec.Struct, frozen=True, gc=False):
    """What failing objects have in common: `inside` of the failing ones, `outside` of the healthy
    ones, each as (k, n)."""

    what: str
    value: str
    inside: tuple[int, int]
    outside: tuple[int, int]
    p_value: float
    """Fisher's exact test, one-sided, Holm-corrected for all attributes tried."""
    tied_with: tuple[str, ...] = ()
    """Other attributes that separate exactly as well ("zone zone-b"): the data cannot tell them
    apart."""
    subject: str = "failing"
    """What `inside` counts, for people: ready replicas on one node do not fail."""
    of_nodes: bool = False
    """Whether `inside` counts nodes: a node runs pods of an owner and does not belong to it."""

    @property
    def spoken(self) -> str:
        """The value for people: a moment as a date and time."""
        return spoken(self.what, self.value)

    @property
    def sentence(self) -> str:
        """`failing: 7 of 7 on node-2; others: 0 of 41`."""
        return f"{self.subject}: {self.share}"

    @property
    def share(self) -> str:
        """`7 of 7 on node-2; others: 0 of 41`."""
        (inside, of), (outside, others) = self.inside, self.outside
        word = SHARED.get(self.what, f"with {self.what}")
        if self.of_nodes and self.what == "owner":
            word = "run pods of"
        rest = f"; others: {outside} of {others}" if others else ""
        return f"{inside} of {of} {word} {self.spoken}{rest}"


def spoken(what: str, value: str) -> str:
    """The value of an attribute for people: a moment (`created after`) with its date, in UTC; a
    digest shortened."""
    if what == "image digest":
        return short_digest(value)
    if what.endswith("created after"):
        with contextlib.suppress(ValueError):
            return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return value


class ChangeFact(msgspec.Struct, frozen=True, gc=False):
    """Something that was changed in the cluster before or around a symptom, read from the API
    alone."""

    at: datetime
    what: str
    object: Ref
    rule: str
    """Kind of change: rollout, node-joined, node-version, secret-keys, policy-edited, scaled,
    cordoned, …"""
    manager: str = ""
    facts: Mapping[str, Fact] = msgspec.field(default_factory=lambda: MappingProxyType({}))


class Dependant(msgspec.Struct, frozen=True, gc=False):
    """Part of the blast radius: what depends on the failing thing, and in what state it is."""

    object: Ref
    why: str


class Course(enum.StrEnum):
    """The course of a symptom."""

    NEW = "new"
    ONGOING = "ongoing"
    WORSE = "getting worse"
    STANDING = "standing"
    """For over a day, and small: such symptoms are folded."""
    RECOVERING = "recovering"
    RECOVERED = "recovered"


class Symptom(msgspec.Struct, frozen=True):
    """A group of findings with one cause. `id` is stable while the group lasts."""

    id: str
    title: str
    severity: Severity
    since: datetime | None
    objects: tuple[Ref, ...]
    findings: tuple[Finding, ...]
    shared: tuple[SharedAttribute, ...] = ()
    changes: tuple[ChangeFact, ...] = ()
    blast: tuple[Dependant, ...] = ()
    mechanism: str = ""
    """Id of the rule that names the mechanism; the title is made from it."""
    course: Course = Course.ONGOING
    gone: datetime | None = None
    """When a recovered symptom was first missing."""


class Gap(msgspec.Struct, frozen=True):
    """Something that could not be read, and why."""

    what: str
    why: str
    quiet: bool = False
    """Usual for clusters, and no reason to look elsewhere: listed with the rest, never in the
    foreground."""


class Report(msgspec.Struct, frozen=True):
    """Triage of one moment: deterministic for the same snapshot."""

    as_of: datetime
    complete: bool
    unavailable: tuple[Gap, ...]
    symptoms: tuple[Symptom, ...]
    """In the order of `triage.symptoms.order`: what is new and wide first."""
    findings: tuple[Finding, ...]
    changes: tuple[ChangeFact, ...]
    recovered: tuple[Symptom, ...] = ()
    """Symptoms that ended within the last hour, the latest first."""
