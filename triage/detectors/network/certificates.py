"""Certificates of cert-manager that are not issued, not renewed or expired, and issuers that are
not ready.

Conditions and reasons of cert-manager 1.12 to 1.19 (internal/controller/certificates/policies,
pkg/controller/certificates/issuing, pkg/controller/acmechallenges).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from cluster.kube.conditions import condition_of
from cluster.kube.objects import (
    Certificate,
    Challenge,
    ClusterIssuer,
    Condition,
    Gateway,
    Ingress,
    Issuer,
    Pod,
    Ref,
    WebhookConfiguration,
)
from cluster.kube.pods import is_finished
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make
from triage.facts.messages.wording import quoted
from triage.facts.windows import NOTE_AFTER, READY_GRACE

GROUP = "cert-manager.io"
RENEWAL_GRACE = timedelta(hours=1)
"""A renewal that is due may take this long: an order, a challenge, a propagation of DNS."""
INJECTED = "cert-manager.io/inject-ca-from"
"""Annotation of a webhook whose caBundle comes from a Certificate."""
_BAD_CHALLENGES = frozenset({"", "pending", "processing", "invalid", "expired", "errored"})


class _Why(NamedTuple):
    """`cause`: issuer-missing, issuer-not-ready, challenge, failed or other; `text` says it in
    words, "" where nothing does."""

    cause: str
    reason: str
    text: str
    evidence: tuple[Evidence, ...] = ()


@object_detector("Issuer", "ClusterIssuer")
def issuer(row: Issuer, view: ClusterView) -> Iterator[Finding]:
    """Ready is False: an account that cannot be registered, a CA that is missing, a Vault that
    refuses. An issuer that no Certificate names is a note."""
    created, ready = row.metadata.creation_timestamp, condition_of(row.status.conditions, "Ready")
    if ready is None or ready.status == "True" or not view.older(created, NOTE_AFTER):
        return
    ref = ref_of(row)
    named = sum(_issuer_of(each) == ref for each in view.store.all("Certificate", Certificate))
    yield make(
        "issuer-not-ready",
        ref,
        f"is not ready: {_words(ready)}",
        Severity.WARNING if named else Severity.INFO,
        "an issuer that certificates name; one that none names is a note",
        since=ready.last_transition_time or created,
        source=SinceSource.CONDITION,
        young=view.young(ready.last_transition_time or created, READY_GRACE),
        evidence=[condition_evidence(ref, ready)],
        facts={"reason": ready.reason, "certificates": named},
    )


@object_detector("Certificate")
def certificate(row: Certificate, view: ClusterView) -> Iterator[Finding]:
    """Expired, never issued, refused at its renewal, or due for renewal for over an hour."""
    created, expires = row.metadata.creation_timestamp, row.status.not_after
    if not view.older(created, NOTE_AFTER):
        return
    ref, names = ref_of(row), row.spec
    ready = condition_of(row.status.conditions, "Ready")
    issuing = condition_of(row.status.conditions, "Issuing")
    failed = issuing if issuing is not None and issuing.status == "False" else None
    valid = expires is None or _ahead(expires, view)
    said: Condition | None = ready
    if not valid:
        state, begin, since = "expired", f"has expired on {_day(expires)}", expires
    elif ready is None or ready.status != "True":
        began = (ready.last_transition_time if ready is not None else None) or created
        kept = f" (the last one is valid until {_day(expires)})" if expires is not None else ""
        state, begin, since = "not-issued", f"is not issued{kept}", began
    elif failed is not None:
        began = failed.last_transition_time or row.status.last_failure_time
        state, begin, said = "renewal-fails", f"is not renewed and expires {_day(expires)}", failed
        since = began
    elif row.status.renewal_time is not None and _late(row.status.renewal_time, view):
        since = row.status.renewal_time
        state, begin = "renewal-late", f"was not renewed when it was due, expires {_day(expires)}"
    else:
        return
    why = _why(row, said, failed, view)
    users = _users(row, view)
    used = f"; used by {', '.join(map(str, users[:3]))}" if users else ""
    secret = Ref("Secret", ref.namespace, names.secret_name)
    issuer_ref = _issuer_of(row)
    yield make(
        "certificate-failing",
        ref,
        begin + (f": {why.text}" if why.text else "") + used,
        Severity.CRITICAL if state == "expired" and users else Severity.WARNING,
        "critical once it has expired and something names its Secret",
        since=since,
        source=SinceSource.CONDITION if state != "renewal-late" else SinceSource.STATUS,
        young=view.young(since, READY_GRACE) if state in ("not-issued", "renewal-fails") else None,
        evidence=[
            *([condition_evidence(ref, said)] if said is not None else []),
            *why.evidence,
            *([field_evidence(ref, "status.notAfter", _day(expires))] if expires else []),
        ],
        facts={
            "state": state,
            "cause": why.cause,
            "reason": why.reason,
            "secret": names.secret_name,
            "issuer": str(issuer_ref),
            "used_by": tuple(map(str, users)),
        },
        related=[secret, issuer_ref, *users[:10]],
    )


def _ahead(moment: datetime, view: ClusterView) -> bool:
    """Whether a planned time lies ahead; asks for another evaluation then."""
    view.wake(moment)
    return view.recent(moment, timedelta())


def _late(due: datetime, view: ClusterView) -> bool:
    """Whether a renewal is due for longer than it takes."""
    if view.recent(due, RENEWAL_GRACE):
        if _ahead(due, view):
            return False
        view.wake(due + RENEWAL_GRACE)
        return False
    return True


def _issuer_of(row: Certificate) -> Ref:
    named = row.spec.issuer_ref
    kind = named.kind or "Issuer"
    return Ref(kind, "" if kind == "ClusterIssuer" else row.metadata.namespace, named.name)


def _why(
    row: Certificate, ready: Condition | None, failed: Condition | None, view: ClusterView
) -> _Why:
    """Why it is not issued: its challenge, else its issuer, else what cert-manager says last."""
    for challenge in _challenges(row, view):
        state, name = challenge.status.state or "pending", challenge.spec.dns_name
        text = f"the {challenge.spec.type or 'ACME'} challenge for {name} is {state}: "
        words = quoted(challenge.status.reason)
        seen = field_evidence(ref_of(challenge), "status", f"{state}: {challenge.status.reason}")
        return _Why("challenge", state, text + words, (seen,))
    named, ours = _issuer_of(row), row.spec.issuer_ref.group in ("", GROUP)
    found = view.store.get(*named) if ours and named.kind in ("Issuer", "ClusterIssuer") else None
    if ours and found is None and named.kind in ("Issuer", "ClusterIssuer"):
        if view.readable(named.kind):
            return _Why("issuer-missing", "IssuerMissing", f"{named} does not exist")
    elif isinstance(found, (Issuer, ClusterIssuer)):
        answer = condition_of(found.status.conditions, "Ready")
        if answer is not None and answer.status != "True":
            text = f"{named} is not ready: {_words(answer)}"
            seen = condition_evidence(named, answer)
            return _Why("issuer-not-ready", answer.reason, text, (seen,))
    if failed is not None:
        text = quoted(failed.message.removeprefix(_RETRIED))
        return _Why("failed", failed.reason, text or failed.reason)
    if ready is None:
        return _Why("other", "", "cert-manager has not looked at it")
    if ready.status == "True":
        return _Why("other", ready.reason, "cert-manager does not say why")
    return _Why("other", ready.reason, quoted(ready.message) or ready.reason)


_RETRIED = "The certificate request has failed to complete and will be retried: "


def _challenges(row: Certificate, view: ClusterView) -> list[Challenge]:
    """Challenges for its names that say why they do not end. They have no name in common with it,
    besides that of DNS."""
    if not view.store.count("Challenge"):
        return []
    names = {each.removeprefix("*.") for each in (*row.spec.dns_names, row.spec.common_name)}
    held = view.store.in_namespace("Challenge", row.metadata.namespace).items()
    return [
        each
        for _, each in sorted(held)
        if isinstance(each, Challenge)
        and each.spec.dns_name in names
        and each.status.state in _BAD_CHALLENGES
        and each.status.reason
    ]


def _users(row: Certificate, view: ClusterView) -> list[Ref]:
    """What names its Secret or its CA: Ingresses, Gateways, webhooks, and the owners of pods that
    mount it."""
    namespace, secret = row.metadata.namespace, row.spec.secret_name
    found: set[Ref] = set()
    for ingress in view.store.in_namespace("Ingress", namespace).values():
        if isinstance(ingress, Ingress) and any(t.secret_name == secret for t in ingress.spec.tls):
            found.add(ref_of(ingress))
    for gateway in view.store.all("Gateway", Gateway):
        for listener in gateway.spec.listeners:
            for named in listener.tls.certificate_refs if listener.tls is not None else ():
                at = (named.namespace or gateway.metadata.namespace, named.name)
                if named.kind in ("", "Secret") and at == (namespace, secret):
                    found.add(ref_of(gateway))
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for hook in view.store.all(kind, WebhookConfiguration):
            if hook.metadata.annotations.get(INJECTED) == f"{namespace}/{row.metadata.name}":
                found.add(Ref(kind, "", hook.metadata.name))
    for pod in view.store.in_namespace("Pod", namespace).values():
        if isinstance(pod, Pod) and not is_finished(pod):
            volumes = (v.secret.secret_name for v in pod.spec.volumes if v.secret is not None)
            if secret in volumes:
                found.add(view.owner(pod))
    return sorted(found, key=lambda ref: (_ORDER.get(ref.kind, 9), ref))


_ORDER = {"Ingress": 0, "Gateway": 1}
"""What faces people first."""


def _words(condition: Condition) -> str:
    return quoted(condition.message) or condition.reason or condition.status


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment is not None else "at an unknown time"
