"""Configuration and storage: Secrets that are missing, claims, volumes and attachments."""

from __future__ import annotations

from tests.triage.build import ago, managed, meta
from tests.triage.situation import (
    background,
    look,
    loud,
    one,
)
from triage.facts.finding import Severity


def test_claims_and_volumes() -> None:
    cluster = background()
    claim = {
        "metadata": meta("data", "shop", ago(minutes=20)),
        "spec": {"storageClassName": "none"},
        "status": {"phase": "Pending"},
    }
    cluster.add("PersistentVolumeClaim", claim)
    text = 'storageclass.storage.k8s.io "none" not found'
    cluster.event(
        "PersistentVolumeClaim",
        "shop",
        "data",
        "ProvisioningFailed",
        text,
        ago(minutes=1),
        ago(minutes=19),
        count=60,
    )
    cluster.add(
        "PersistentVolume",
        {"metadata": meta("pv-1"), "status": {"phase": "Failed", "message": "cannot be deleted"}},
    )
    cluster.add(
        "PersistentVolume", {"metadata": meta("pv-2"), "status": {"phase": "Released"}}
    )  # how Retain ends
    found = {f.rule: f.object.name for f in look(cluster).findings}
    assert found == {"claim-pending": "data", "volume-failed": "pv-1"}


def test_secret_that_does_not_exist_in_many_namespaces() -> None:
    cluster = background()
    cluster.add(
        "Secret",
        {
            "metadata": meta(
                "web-credentials",
                "shop",
                created=ago(days=3),
                managedFields=[managed("iam-provider", ago(days=3), {"f:data": {"f:token": {}}})],
            )
        },
    )
    for number, namespace in enumerate(("shop", "billing", "search", "ops")):
        raw = cluster.deployment(
            f"new{number}", namespace, replicas=1, created=ago(minutes=30 - number)
        )
        pod = raw["pods"][0]
        cluster.waiting(pod, "ContainerCreating")
        cluster.event(
            "Pod",
            namespace,
            pod["metadata"]["name"],
            "FailedMount",
            f'MountVolume.SetUp failed for volume "c" : secret "new{number}-credentials" not found',
            ago(minutes=1),
            first=ago(minutes=20),
            count=11,
            uid_=pod["metadata"]["uid"],
        )
    report = look(cluster)
    finding = one(report, "secret-missing-across-namespaces")
    assert (
        finding.facts["namespaces"],
        finding.facts["pods"],
        finding.facts["pattern"],
        finding.facts["supplier"],
        finding.facts["only_new"],
    ) == (4, 4, "*-credentials", "iam-provider", True)
    assert "secret-keys-lost" not in loud(report)
    assert report.symptoms[0].mechanism == "secret-missing-across-namespaces"
    assert len(report.symptoms[0].objects) >= 4


def test_volume_that_another_node_holds() -> None:
    cluster = background()
    raw = cluster.deployment(
        "db",
        "shop",
        replicas=1,
        created=ago(minutes=9),
        spec={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]},
    )
    pod = raw["pods"][0]
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data-db-0", "shop"),
            "spec": {"volumeName": "pvc-1", "storageClassName": "fast"},
            "status": {"phase": "Bound"},
        },
    )
    cluster.add(
        "PersistentVolume",
        {
            "metadata": meta("pvc-1"),
            "spec": {
                "csi": {"driver": "ebs.csi.aws.com"},
                "claimRef": {"namespace": "shop", "name": "data-db-0"},
            },
            "status": {"phase": "Bound"},
        },
    )
    cluster.add(
        "VolumeAttachment",
        {
            "metadata": meta("csi-1"),
            "spec": {
                "attacher": "ebs.csi.aws.com",
                "nodeName": "lost-node",
                "source": {"persistentVolumeName": "pvc-1"},
            },
            "status": {"attached": True},
        },
    )
    cluster.waiting(pod, "ContainerCreating")
    cluster.pod_event(
        pod,
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node '
        "and can't be attached to another",
        ago(minutes=8),
    )
    cluster.pod_event(
        pod,
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: "
        "timed out waiting for the condition",
        ago(minutes=2),
        count=3,
    )
    report = look(cluster)
    assert (
        one(report, "pod-volume-failed").facts["cause"],
        one(report, "pod-volume-failed").facts["driver"],
    ) == (
        "multi-attach",
        "ebs.csi.aws.com",
    )
    assert one(report, "volume-attachment-failed").facts["node_exists"] is False
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1
