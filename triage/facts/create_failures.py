"""Why a controller may not create pods or claims: what the API server says about quotas, limits,
PodSecurity, webhooks, policies, ServiceAccounts and rights. The event is the only trace.

Formats of Kubernetes 1.24 to 1.35 (plugin/pkg/admission, pod-security-admission, OpenShift SCC).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from triage.facts.messages.wording import quoted


class CreateFailure(NamedTuple):
    """`cause`: quota, quota-unset, limits, pod-security, webhook, policy, service-account, rbac,
    terminating, priority-class, runtime-class, invalid, etcd, forbidden or other. `detail` is the
    name of the quota, webhook, policy, account or class; `text` says it in words."""

    cause: str
    detail: str
    text: str


class Exceeded(NamedTuple):
    """One resource that a quota refuses: what was asked for, used and allowed."""

    quota: str
    resource: str
    requested: str
    used: str
    hard: str


_QUOTA = re.compile(r"exceeded quota: ([^,\s]+), requested: (.+?), used: (.+?), limited: (.+)$")
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (cause, re.compile(pattern, re.IGNORECASE | re.DOTALL), words)
    for cause, pattern, words in (
        (
            "quota-unset",
            r"failed quota: ([^:\s]+): must specify (.+)",
            "quota {0} asks for values that the template does not set: {1}",
        ),
        ("quota", r"exceeded quota: ([^,\s]+)", "quota {0} is used up"),
        (
            "pod-security",
            r"violates podsecurity \"([^\"]+)\":? ?(.*)",
            "PodSecurity {0} forbids them: {1}",
        ),
        (
            "pod-security",
            r"unable to validate against any (security context constraint)s?:? ?(.*)",
            "no {0} allows them: {1}",
        ),
        (
            "policy",
            r"validatingadmissionpolicy '([^']+)'.*?denied request: (.*)",
            "the admission policy {0} denies them: {1}",
        ),
        (
            "webhook",
            r"admission webhook \"([^\"]+)\" denied the request:? ?(.*)",
            "webhook {0} refuses them: {1}",
        ),
        (
            "webhook",
            r"failed calling webhook \"([^\"]+)\":? ?(.*)",
            "webhook {0} cannot be called: {1}",
        ),
        ("etcd", r"(etcdserver)", "etcd does not answer the API server"),
        (
            "service-account",
            r"serviceaccount \"([^\"]+)\" not found",
            "ServiceAccount {0} does not exist",
        ),
        (
            "service-account",
            r"error looking up service account (\S+)",
            "ServiceAccount {0} does not exist",
        ),
        (
            "rbac",
            r"user \"([^\"]+)\" cannot (create \S+ \S+)",
            "{0} may not {1}",
        ),
        (
            "terminating",
            r"namespace (\S+) because it is being terminated",
            "its namespace {0} is being deleted",
        ),
        (
            "priority-class",
            r"no priorityclass with name (\S+) was found",
            "PriorityClass {0} does not exist",
        ),
        (
            "runtime-class",
            r"runtimeclass\S* \"?([^\s\"]+)\"? not found",
            "RuntimeClass {0} does not exist",
        ),
        (
            "limits",
            r"((?:maximum|minimum) \S+ (?:usage )?per \S+ is .+)",
            "a LimitRange forbids them: {0}",
        ),
        (
            "limits",
            r"(\S+ max limit to request ratio per .+)",
            "a LimitRange forbids them: {0}",
        ),
        (
            "limits",
            r"((?:invalid value: \S+ )?must be less than or equal to .+)",
            "their requests exceed their limits: {0}",
        ),
        ("invalid", r"is invalid: (.+)", "the template is not valid: {0}"),
    )
)


def create_failure(message: str) -> CreateFailure:
    """What a FailedCreate event or a ReplicaFailure condition says; what is not understood is
    quoted."""
    for cause, pattern, words in _RULES:
        found = pattern.search(message)
        if found is None:
            continue
        parts = [quoted(part.rstrip(".")) for part in found.groups()]
        text = words.format(*parts).rstrip(": ")
        if cause == "quota" and (every := exceeded(message)):
            text += ": " + ", ".join(
                f"{one.resource} {one.used} of {one.hard} used, {one.requested} more asked for"
                for one in every[:3]
            )
        return CreateFailure(cause, parts[0] if cause != "etcd" else "", text)
    cause = "forbidden" if "forbidden" in message.lower() else "other"
    return CreateFailure(cause, "", quoted(message))


def exceeded(message: str) -> tuple[Exceeded, ...]:
    """Each resource of `exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9`."""
    found = _QUOTA.search(message)
    if found is None:
        return ()
    requested, used, hard = (_pairs(found[number]) for number in (2, 3, 4))
    return tuple(
        Exceeded(found[1], name, requested.get(name, "?"), used.get(name, "?"), limit)
        for name, limit in hard.items()
    )


def _pairs(text: str) -> dict[str, str]:
    return {
        name.strip(): value.strip()
        for name, _, value in (part.partition("=") for part in text.split(","))
        if value
    }
