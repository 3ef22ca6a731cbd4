"""Plans and results of probes: values only.

A human agrees to a plan before anything is created; the faces draw a result and the record keeps
it.
`document` of a result is the JSON document `stanch.probe/1`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from cluster.kube.objects import Ref

SCHEMA = "stanch.probe/1"


class ResultClass(enum.StrEnum):
    """Result class of one try.

    `REFUSED` is a RST from the target itself, `REJECTED` an ICMP error from a node on the path;
    `EXEC_FAILED` and `NOT_MEASURED` say nothing about the network.
    """

    OK = "ok"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    """No route in the source itself: no packet was sent."""
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_FIRST_BYTE = "timeout_first_byte"
    RESET = "reset"
    DNS_TIMEOUT = "dns_timeout"
    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_SERVFAIL = "dns_servfail"
    DNS_REFUSED = "dns_refused"
    TLS_HANDSHAKE = "tls_handshake"
    TLS_CERTIFICATE = "tls_certificate"
    TOOL_MISSING = "tool_missing"
    EXEC_FAILED = "exec_failed"
    RATE_LIMIT_SUSPECT = "rate_limit_suspect"
    """A timeout after ICMP refusals from the same place: the sender's rate limit may have
    suppressed the answer."""
    NOT_MEASURED = "not_measured"


NOT_NETWORK = frozenset(
    {
        ResultClass.TOOL_MISSING,
        ResultClass.EXEC_FAILED,
        ResultClass.NOT_MEASURED,
        ResultClass.RATE_LIMIT_SUSPECT,
    }
)
"""Verdicts that say nothing about the network."""


class Expectation(enum.StrEnum):
    """What NetworkPolicy as written says about a connection."""

    ALLOW = "allow"
    DENY = "deny"
    UNDEFINED = "undefined"
    """The API does not define it (hostNetwork pods) or not enough is known."""


@dataclass(frozen=True, slots=True)
class Place:
    """The start of a measurement. `pod` is "" until the pod exists; `how` is the method (see
    `probes.pods.vantage`)."""

    namespace: str
    node: str
    pod: str = ""
    address: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """The end of a measurement: `address`:`port` is what was dialled. `service` is set when that is
    the address or name of a Service."""

    namespace: str
    node: str
    pod: str
    address: str
    port: int
    service: str = ""

    @property
    def endpoint(self) -> str:
        """ADDRESS:PORT, IPv6 in brackets."""
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )

    @property
    def label(self) -> str:
        if self.pod:
            return f"{self.namespace}/{self.pod}"
        if not self.service:
            return self.endpoint
        if not self.namespace:  # the client's own settings, such as its resolv.conf
            return self.service
        return f"{self.namespace}/{self.service} {self.address}"


@dataclass(frozen=True, slots=True)
class Try:
    """One connect: class, duration in milliseconds, time (UTC, clock of the pod), and the ICMP
    error if there was one."""

    verdict: ResultClass
    ms: int
    at: datetime | None = None
    icmp: str = ""
    """type/code, such as "3/3"; "3/?" when only the counters show an error."""
    sender: str = ""
    """Sender's address of the ICMP error, from the kernel; "" when not known."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One source against one target."""

    source: Place
    target: Destination
    expected: Expectation
    why_expected: str
    tries: tuple[Try, ...] = ()
    sender: str = ""
    """Node or address that answered instead of the target; see `sender_source`."""
    sender_source: str = ""
    """"kernel" (the ICMP error's own sender), "inferred" (from the pattern over nodes), or ""."""
    reason: str = ""
    """Why nothing was measured, one sentence."""
    command: str = ""
    """kubectl command that repeats the measurement without this tool."""

    @property
    def results(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for each in self.tries:
            counts[each.verdict.value] = counts.get(each.verdict.value, 0) + 1
        if not counts:
            counts[ResultClass.NOT_MEASURED.value] = 1
        return MappingProxyType(dict(sorted(counts.items())))

    @property
    def counted(self) -> tuple[Try, ...]:
        """Tries that say something about the network."""
        return tuple(each for each in self.tries if each.verdict not in NOT_NETWORK)

    @property
    def failed(self) -> int:
        return sum(1 for each in self.counted if each.verdict is not ResultClass.OK)

    @property
    def main(self) -> ResultClass:
        """The most frequent class; `NOT_MEASURED` without tries. In a tie a failure comes before
        `OK`."""
        tally: dict[ResultClass, int] = {}
        for each in self.counted or self.tries:
            tally[each.verdict] = tally.get(each.verdict, 0) + 1
        return (
            min(
                tally,
                key=lambda verdict: (-tally[verdict], verdict is ResultClass.OK, verdict.value),
            )
            if tally
            else ResultClass.NOT_MEASURED
        )

    @property
    def mixed(self) -> bool:
        return 0 < self.failed < len(self.counted)


@dataclass(frozen=True, slots=True)
class Component:
    """The part that a conclusion blames. Kinds: policy-enforcement, network-policy, node-network,
    node, pod, service, dns, kube-proxy, agent, …"""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One claim. `confidence` is 0 to 1; `next`: what would confirm it or rule it out, "" if
    nothing; `answer`: the answer of a runbook's step that says more than "found", "" if none."""

    claim: str
    component: Component
    confidence: float
    next: str = ""
    evidence: tuple[str, ...] = ()
    answer: str = ""


def not_measured(why: str, then: str = "see the problems") -> Conclusion:
    """The only conclusion of a probe that measured nothing."""
    return Conclusion(f"Nothing can be said: {why}", Component("not-measured", ""), 0.0, then)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a result that is not a matrix: the object, what was seen, and whether that is
    normal (None: not known)."""

    subject: Ref
    seen: str
    normal: bool | None
    expected: str = ""
    facts: Mapping[str, str | int | float | bool] = field(
        default_factory=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True)
class Right:
    """One permission that the probe needs, and the server's answer: None when it was not asked."""

    verb: str
    resource: str
    namespace: str
    allowed: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object that the plan would create. `dry_run`: the server's answer to the same request with
    dryRun=All, "" when not asked."""

    ref: Ref
    node: str
    image: str
    manifest: Mapping[str, Any]
    dry_run: str = ""
    accepted: bool | None = None
    """Result of the dry run; None: not known."""


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """What a probe would do; nothing is created or measured yet."""

    probe: str
    arguments: Mapping[str, str]
    question: str
    creates: tuple[PlannedObject, ...] = ()
    executes: tuple[str, ...] = ()
    """kubectl commands that run inside existing pods."""
    reads: tuple[str, ...] = ()
    """Requests it sends, in words."""
    rights: tuple[Right, ...] = ()
    selected_by: tuple[str, ...] = ()
    """Services, PodDisruptionBudgets and NetworkPolicies that select the new pods."""
    method: str = ""
    """How it is measured and what that proves."""
    warnings: tuple[str, ...] = ()
    refused: str = ""
    """One sentence when the probe cannot or must not run, with an alternative; "" when it may
    run."""
    seconds: float = 0.0
    """Estimated duration in seconds."""
    deadline_s: float = 0.0
    """After this many seconds everything that was created ends by itself, without this program."""
    detail: Any = None
    """The probe's own working plan, read by its `run` only."""
    run_id: str = ""
    """The run of the runbook whose step asked for the probe, "" without one."""
    step_id: str = ""

    @property
    def needs_agreement(self) -> bool:
        """Whether a human must agree first: something is created or runs inside a pod."""
        return bool(self.creates or self.executes)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Result of a probe. `complete` is False when a part could not be measured; `problems` says
    which and why."""

    probe: str
    arguments: Mapping[str, str]
    started: datetime
    finished: datetime
    cells: tuple[Cell, ...] = ()
    rows: tuple[Row, ...] = ()
    conclusions: tuple[Conclusion, ...] = ()
    created: tuple[Ref, ...] = ()
    left_behind: tuple[Ref, ...] = ()
    complete: bool = True
    problems: tuple[str, ...] = ()
    method: str = ""
    """How it was measured and what that proves."""
    requests: int = 0
    """Sent to the API server: HTTP requests and execs."""

    @property
    def silence(self) -> str:
        """Why there is no conclusion, as half a sentence."""
        if not self.cells and not self.rows:
            return "there is no such object" if self.complete else "nothing could be read"
        if not any(cell.counted for cell in self.cells) and all(
            row.normal is None for row in self.rows
        ):
            return "what was seen cannot be judged by itself"
        return "what was measured blames nothing"

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document `stanch.probe/1` as plain values."""
        return {
            "schema": SCHEMA,
            "probe": self.probe,
            "arguments": dict(self.arguments),
            "started": _time(self.started),
            "finished": _time(self.finished),
            "complete": self.complete,
            "problems": list(self.problems),
            "method": self.method,
            "cells": [_cell(cell) for cell in self.cells],
            "rows": [
                {
                    "object": row.subject._asdict(),
                    "seen": row.seen,
                    "expected": row.expected,
                    "normal": row.normal,
                    "facts": dict(row.facts),
                }
                for row in self.rows
            ],
            "conclusions": [
                {
                    "claim": each.claim,
                    "component": {"kind": each.component.kind, "name": each.component.name},
                    "confidence": round(each.confidence, 3),
                    "next": each.next,
                    "evidence": list(each.evidence),
                }
                for each in self.conclusions
            ],
            "created": [ref._asdict() for ref in self.created],
            "left_behind": [ref._asdict() for ref in self.left_behind],
        }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "from": {
            "namespace": cell.source.namespace,
            "node": cell.source.node,
            "pod": cell.source.pod,
            "how": cell.source.how,
        },
        "to": {
            "namespace": cell.target.namespace,
            "node": cell.target.node,
            "pod": cell.target.pod,
            "address": cell.target.address,
            "port": cell.target.port,
            "service": cell.target.service,
        },
        "expected": cell.expected.value,
        "why_expected": cell.why_expected,
        "results": dict(cell.results),
        "sender": cell.sender,
        "sender_source": cell.sender_source,
        "icmp": next((each.icmp for each in cell.tries if each.icmp), ""),
        "latency_ms": [each.ms for each in cell.tries],
        "reason": cell.reason,
        "command": cell.command,
    }
