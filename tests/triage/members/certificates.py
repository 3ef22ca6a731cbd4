"""Certificates that are not issued."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, meta, ts


def certified(cluster: Cluster, **given: Any) -> None:
    """A Certificate that an Ingress uses, its issuer and a challenge: each `given` by part, or
    healthy."""
    told = {"type": "Ready", "status": "True", "lastTransitionTime": ts(ago(minutes=40))}
    dates = {"notAfter": ts(ago(days=-40)), "renewalTime": ts(ago(days=-10))}
    conditions = [told | each for each in given.get("conditions", [{}])]
    names = {"secretName": "web-tls", "dnsNames": ["*.web.example"], "issuerRef": {"name": "le"}}
    cluster.add(
        "Certificate",
        {
            "metadata": meta("web-tls", "shop"),
            "spec": names,
            "status": {**dates, "conditions": conditions, **given.get("status", {})},
        },
    )
    if given.get("issuer", {}) is not None:
        issuer = {"metadata": meta("le", "shop")}
        cluster.add("Issuer", issuer | {"status": {"conditions": [told | given.get("issuer", {})]}})
    if "challenge" in given:
        cluster.add(
            "Challenge",
            {
                "metadata": meta("web-tls-1-4-7", "shop"),
                "spec": {"dnsName": "web.example", "wildcard": True, "type": "DNS-01"},
                "status": given["challenge"],
            },
        )
    ingress = {"metadata": meta("web", "shop"), "spec": {"tls": [{"secretName": "web-tls"}]}}
    served = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    cluster.add("Ingress", {**ingress, "status": served})
    cluster.add("Secret", {"metadata": meta("web-tls", "shop")})
