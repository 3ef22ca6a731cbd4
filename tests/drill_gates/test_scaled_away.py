"""DNS scaled to zero is an outage by intent or not; a DNS server that another one has replaced may
stay at zero."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta

from drills.api.objects import rfc3339
from tests.drill_gates.ground import NOW, Raw, calm, judge


def _scaled_to_zero() -> Iterator[Raw]:
    """The healthy cluster after `kubectl scale --replicas 0` of CoreDNS, five minutes ago."""
    edit = {
        "manager": "kubectl",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": rfc3339(NOW - timedelta(minutes=5)),
        "subresource": "scale",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    for plain in calm():
        raw = copy.deepcopy(plain)
        meta = raw["metadata"]
        if meta.get("namespace") == "kube-system":
            if raw["kind"] == "Deployment" and meta["name"] == "coredns":
                raw["spec"]["replicas"] = 0
                raw["status"] = {"observedGeneration": meta["generation"]}
                meta["managedFields"].append(edit)
            if raw["kind"] == "Pod" and meta["name"].startswith("coredns-"):
                continue
            if (
                raw["kind"] == "EndpointSlice"
                and meta["labels"].get("kubernetes.io/service-name") == "kube-dns"
            ):
                raw["endpoints"] = []
        yield raw


def test_dns_scaled_to_zero_is_an_outage_with_its_author() -> None:
    found = judge(_scaled_to_zero())
    symptom = found.warnings[0].symptom
    assert (symptom.mechanism, symptom.severity.value) == ("dns-degraded", "critical")
    assert "scaled to 0" in symptom.title
    assert symptom.since == NOW - timedelta(minutes=5)
    assert "by kubectl" in symptom.findings[0].evidence[0].text


def test_a_dns_server_that_was_replaced_stays_at_zero_in_peace() -> None:
    plain = next(
        raw
        for raw in calm()
        if raw["kind"] == "Deployment" and raw["metadata"]["name"] == "coredns"
    )
    old = copy.deepcopy(plain)
    old["metadata"].update(name="kube-dns", uid="0d5ab3c0-8a5e-4a52-9b8b-5d4ad0b2ae43")
    old["spec"]["replicas"] = 0
    old["status"] = {}
    assert judge([*calm(), old]).warnings == []
