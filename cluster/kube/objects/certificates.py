"""cert-manager.io/v1 and acme.cert-manager.io/v1: Certificates, their issuers and the challenges of
ACME, where the CRDs of cert-manager are installed."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, ManagedObject, Time, Wire


class IssuerReference(Wire, frozen=True):
    """The kind is Issuer and the group cert-manager.io where nothing is given."""

    name: str = ""
    kind: str = ""
    group: str = ""


class CertificateSpec(Wire, frozen=True):
    secret_name: str = ""
    issuer_ref: IssuerReference = IssuerReference()
    dns_names: tuple[str, ...] = ()
    common_name: str = ""


class CertificateStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()
    not_after: Time | None = None
    renewal_time: Time | None = None
    last_failure_time: Time | None = None


class Certificate(ManagedObject, frozen=True):
    spec: CertificateSpec = CertificateSpec()
    status: CertificateStatus = CertificateStatus()


class IssuerStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()


class Issuer(ManagedObject, frozen=True):
    status: IssuerStatus = IssuerStatus()


class ClusterIssuer(Issuer, frozen=True):
    pass


class ChallengeSpec(Wire, frozen=True):
    dns_name: str = ""
    """Without `*.`, which `wildcard` says."""
    wildcard: bool = False
    type: str = ""
    """HTTP-01 or DNS-01."""


class ChallengeStatus(Wire, frozen=True):
    state: str = ""
    """"", pending, processing, valid, ready, invalid, expired or errored."""
    reason: str = ""


class Challenge(ManagedObject, frozen=True):
    spec: ChallengeSpec = ChallengeSpec()
    status: ChallengeStatus = ChallengeStatus()
