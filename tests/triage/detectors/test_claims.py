"""Volumes and claims to the mechanism: what keeps a claim from its volume, and a volume from its
pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.situation import MATCHER, background, first, found, look, pending
from triage.facts.finding import Severity
from triage.facts.messages.volumes import mount_problem


def waiting(
    cluster: Cluster,
    minutes: float = 20,
    used: bool = True,
    said: str = "pod has unbound immediate PersistentVolumeClaims.",
    **spec: Any,
) -> dict[str, Any]:
    """A claim that is not bound, and the pod that waits for it."""
    claim = cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data", "shop", created=ago(minutes=minutes)),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Gi"}},
                **spec,
            },
            "status": {"phase": "Pending"},
        },
    )
    if used:
        pod = pending(cluster, "db-0", since=ago(minutes=minutes))
        pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        pod["status"]["conditions"][0]["message"] = f"0/6 nodes are available: {said}"
    return claim


def volume(cluster: Cluster, name: str = "pv-1", **spec: Any) -> None:
    cluster.add(
        "PersistentVolume",
        {
            "metadata": meta(name, labels={"tier": "slow"}),
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "local",
                **spec,
            },
            "status": {"phase": "Released" if "claimRef" in spec else "Available"},
        },
    )


def says(cluster: Cluster, reason: str, message: str, type_: str = "Warning") -> None:
    cluster.event(
        "PersistentVolumeClaim",
        "shop",
        "data",
        reason,
        message,
        ago(seconds=10),
        first=ago(minutes=20),
        count=70,
        type_=type_,
    )


@pytest.mark.parametrize(
    ("reason", "message", "cause", "words"),
    [
        (
            "ProvisioningFailed",
            'storageclass.storage.k8s.io "fast" not found',
            "class-missing",
            "StorageClass fast does not exist",
        ),
        (
            "ProvisioningFailed",
            'failed to provision volume with StorageClass "gp3": rpc error: code = '
            "ResourceExhausted desc = VolumeLimitExceeded: maximum storage quota reached",
            "provisioner",
            "VolumeLimitExceeded",
        ),
        (
            "ExternalProvisioning",
            "Waiting for a volume to be created either by the external provisioner "
            "'ebs.csi.aws.com' or manually by the system administrator.",
            "provisioner-away",
            "provisioner ebs.csi.aws.com",
        ),
    ],
)
def test_an_event_says_why_a_claim_is_not_bound(
    reason: str, message: str, cause: str, words: str
) -> None:
    cluster = background()
    waiting(cluster, storageClassName="fast")
    says(cluster, reason, message)
    [finding] = found(cluster, "claim-pending")
    assert finding.facts["cause"] == cause
    assert words in first(cluster)
    assert first(cluster).startswith("db-0 is pending: claim data is not bound: ")


def test_a_pod_names_its_claim_while_the_claim_is_young() -> None:
    """The claim counts after 5 min, the pod after 1 min: it says at once what the claim lacks."""
    cluster = background()
    waiting(cluster, minutes=3, storageClassName="local", selector={"matchLabels": {"tier": "x"}})
    volume(cluster, name="a-far", capacity={"storage": "1Gi"})
    volume(cluster, name="b-near")
    said = "db-0 is pending: claim data is not bound: no volume fits: b-near does not match"
    assert first(cluster).startswith(said)
    assert "(has tier=slow, tier=x is asked); a-far has 1Gi of 10Gi asked" in first(cluster)
    assert not first(cluster).endswith("(young)")


def test_the_scheduler_looked_for_a_volume_of_a_claim_that_binds_late() -> None:
    """With WaitForFirstConsumer the claim only waits for its pod, until no volume is found."""
    cluster = background()
    none = "6 node(s) didn't find available persistent volumes to bind."
    waiting(cluster, said=none, storageClassName="local")
    volume(cluster, capacity={"storage": "1Gi"})
    says(cluster, "WaitForFirstConsumer", "waiting for first consumer", "Normal")
    assert first(cluster).startswith(
        "db-0 is pending: claim data is not bound: no volume fits: pv-1 has 1Gi of 10Gi asked"
    )


def test_a_pod_that_waits_for_memory_says_nothing_of_its_claim() -> None:
    cluster = background()
    waiting(cluster, said="6 Insufficient memory.", storageClassName="local")
    says(cluster, "WaitForFirstConsumer", "waiting for first consumer", "Normal")
    assert "claim" not in first(cluster)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        ({"capacity": {"storage": "5Gi"}}, "pv-1 has 5Gi of 10Gi"),
        ({"accessModes": ["ReadOnlyMany"]}, "pv-1 does not offer ReadWriteOnce"),
        ({"storageClassName": "slow"}, "pv-1 is of class slow, local is wanted"),
        ({"claimRef": {"namespace": "shop", "name": "old"}}, "pv-1 is bound to shop/old"),
        ({"volumeMode": "Block"}, "pv-1 is Block"),
    ],
)
def test_a_volume_that_does_not_fit_is_named_with_the_difference(
    offer: dict[str, Any], words: str
) -> None:
    cluster = background()
    waiting(cluster, storageClassName="local", volumeMode="Filesystem")
    volume(cluster, **offer)
    says(cluster, "FailedBinding", "no persistent volumes available for this claim", "Normal")
    assert words in first(cluster)


def test_pods_whose_claims_do_not_exist_are_one_symptom() -> None:
    cluster = background()
    for name in ("cart", "orders"):
        pod = pending(cluster, f"{name}-0")
        pod["status"]["conditions"][0]["message"] = (
            f'0/9 nodes are available: persistentvolumeclaim "{name}-data" not found.'
        )
    assert first(cluster) == (
        "cart-0 and orders-0 are pending: volume claim cart-data not found (and 1 more)"
    )


@pytest.mark.parametrize(
    ("offer", "cause"),
    [
        ({"accessModes": ["ReadOnlyMany"]}, "no-volume"),
        ({"accessModes": ["ReadOnlyMany"], "storageClassName": "slow"}, "class-missing"),
        ({"claimRef": {"namespace": "shop", "name": "old"}}, "class-missing"),
    ],
)
def test_a_class_without_object_serves_volumes_made_by_hand(
    offer: dict[str, Any], cause: str
) -> None:
    cluster = background()
    waiting(cluster, storageClassName="local")
    volume(cluster, **offer)
    says(cluster, "ProvisioningFailed", 'storageclass.storage.k8s.io "local" not found')
    [finding] = found(cluster, "claim-pending")
    assert finding.facts["cause"] == cause
    report = look(cluster)
    sure = {m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident}
    assert "provisioning-failed" not in sure


def test_a_selector_that_no_volume_has() -> None:
    cluster = background()
    waiting(cluster, storageClassName="local", selector={"matchLabels": {"tier": "fast"}})
    volume(cluster)
    assert "does not match the claim's selector" in first(cluster)


def test_no_class_and_no_volume() -> None:
    cluster = background()
    waiting(cluster)
    says(
        cluster,
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
        "Normal",
    )
    [finding] = found(cluster, "claim-pending")
    assert finding.facts["cause"] == "no-class"


def test_a_claim_that_waits_for_the_first_pod_is_healthy_without_one() -> None:
    cluster = background()
    waiting(cluster, used=False, storageClassName="local")
    says(cluster, "WaitForFirstConsumer", "waiting for first consumer to be created", "Normal")
    assert not found(cluster, "claim-pending")


def test_a_claim_that_waits_for_its_pod_is_a_note_beside_the_pod() -> None:
    cluster = background()
    waiting(cluster, storageClassName="local")
    says(cluster, "WaitForFirstConsumer", "waiting for first consumer to be created", "Normal")
    [finding] = found(cluster, "claim-pending")
    assert finding.severity is Severity.INFO
    assert look(cluster).symptoms[0].mechanism == "pod-unschedulable"


def test_a_young_claim_is_a_note_with_its_cause() -> None:
    cluster = background()
    raw = waiting(cluster, used=False, storageClassName="fast")
    raw["metadata"]["creationTimestamp"] = ts(ago(seconds=40))
    says(cluster, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    [finding] = found(cluster, "claim-pending")
    assert (finding.young, finding.severity) == (True, Severity.INFO)


def test_a_resize_that_waits_for_its_file_system() -> None:
    cluster = background()
    raw = waiting(cluster, used=False, storageClassName="local", volumeName="pv-1")
    raw["status"] = {
        "phase": "Bound",
        "capacity": {"storage": "5Gi"},
        "conditions": [
            {
                "type": "FileSystemResizePending",
                "status": "True",
                "lastTransitionTime": ts(ago(minutes=30)),
            }
        ],
    }
    assert first(cluster).startswith("claim data stays at 5Gi of 10Gi wanted")
    raw["status"]["conditions"][0]["lastTransitionTime"] = ts(ago(minutes=1))
    assert not found(cluster, "claim-resize-pending")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("mount.nfs: access denied by server while mounting nfs:/export", "permission"),
        ("mount: wrong fs type, bad option, bad superblock on /dev/sdb", "file-system"),
        ("mount.nfs: Connection timed out", "unreachable"),
        ("hostPath type check failed: /data is not a directory", "missing"),
        ("something else", ""),
    ],
)
def test_a_mount_that_is_refused_says_why(message: str, why: str) -> None:
    assert mount_problem(message)[0] == why
    cluster = background()
    pod = pending(cluster, "files-0", node="n1")
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.event(
        "Pod",
        "shop",
        "files-0",
        "FailedMount",
        f'MountVolume.SetUp failed for volume "pv-1" : {message}',
        ago(seconds=10),
        first=ago(minutes=20),
        count=12,
    )
    [finding] = found(cluster, "pod-volume-failed")
    assert finding.facts["why"] == why
    assert message[-20:] in first(cluster)
    assert first(cluster).startswith("volume pv-1 of files-0 cannot be mounted")


def says_late(cluster: Cluster, reason: str, message: str) -> None:
    """A series of events that began long after the claim: the controller manager was restarted."""
    about = ("PersistentVolumeClaim", "shop", "data", reason, message)
    cluster.event(*about, ago(seconds=10), ago(minutes=3), count=12)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'),
        ("ProvisioningFailed", "rpc error: code = ResourceExhausted desc = VolumeLimitExceeded"),
        ("ExternalProvisioning", "Waiting for a volume to be created by 'ebs.csi.aws.com'"),
    ],
    ids=["class missing", "provisioner's error", "provisioner away"],
)
def test_a_claim_waits_from_its_creation_whenever_its_events_began(
    reason: str, message: str
) -> None:
    cluster = background()
    waiting(cluster, minutes=50, storageClassName="fast")
    says_late(cluster, reason, message)
    assert [one.since for one in found(cluster, "claim-pending")] == [ago(minutes=50)]


@pytest.mark.parametrize("shown", ["annotation", "event"])
def test_a_claim_that_binds_on_its_first_pod_waits_from_that_pod(shown: str) -> None:
    cluster = background()
    claim = waiting(cluster, minutes=20, storageClassName="fast")
    claim["metadata"]["creationTimestamp"] = ts(ago(days=9))
    said = "waiting for first consumer to be created before binding"
    if shown == "annotation":
        claim["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "n1"}
    else:
        about = ("PersistentVolumeClaim", "shop", "data", "WaitForFirstConsumer", said)
        cluster.event(*about, ago(minutes=21), ago(days=9), type_="Normal")
    says(cluster, "ProvisioningFailed", "rpc error: code = Internal desc = no capacity")
    (pending,) = found(cluster, "claim-pending")
    assert pending.since == ago(minutes=20)


def test_a_claim_whose_volume_is_lost_was_bound_until_its_events_began() -> None:
    cluster = background()
    claim = waiting(cluster, minutes=90, storageClassName="fast", volumeName="pv-1")
    claim["status"]["phase"] = "Lost"
    says_late(cluster, "ClaimLost", "volume is gone")
    assert [one.since for one in found(cluster, "claim-pending")] == [ago(minutes=3)]


def test_a_missing_class_is_on_the_first_line_as_soon_as_its_pod_is() -> None:
    """A pod that waits for longer than a minute is a warning: its claim says why, and not a note
    below it."""
    for minutes, sure in ((0.5, False), (2, True), (20, True)):
        cluster = background()
        waiting(cluster, minutes=minutes, storageClassName="fast")
        told = 'storageclass.storage.k8s.io "fast" not found'
        about = ("PersistentVolumeClaim", "shop", "data", "ProvisioningFailed", told)
        cluster.event(*about, ago(seconds=5), ago(minutes=minutes))
        report = look(cluster)
        assert "StorageClass fast does not exist" in report.symptoms[0].title
        matches = MATCHER.match_symptom(report.symptoms[0], report)
        assert [one.id for one in matches if one.confident] == ["claim-pending"] * sure


@pytest.mark.parametrize(
    ("resource", "used", "hard", "limits"),
    [
        ("requests.storage", "0", "1Gi", True),
        ("fast.storageclass.storage.k8s.io/requests.storage", "1Gi", "5Gi", True),
        ("persistentvolumeclaims", "4", "4", True),
        ("count/persistentvolumeclaims", "3", "4", False),
        ("pods", "4", "4", False),
    ],
)
def test_a_quota_may_have_refused_a_claim_that_is_not_there(
    resource: str, used: str, hard: str, limits: bool
) -> None:
    """The refusal went to who asked for the claim: a possible reason, and no page is sure of it."""
    cluster = background()
    pod = pending(cluster, "db-0", since=ago(minutes=20))
    pod["status"]["conditions"][0]["message"] = (
        '0/6 nodes are available: persistentvolumeclaim "data" not found.'
    )
    status = {"hard": {resource: hard}, "used": {resource: used}}
    cluster.add("ResourceQuota", {"metadata": meta("team", "shop"), "status": status})
    cluster.add("ResourceQuota", {"metadata": meta("other", "bank"), "status": status})
    said = f"; quota team may have refused it ({resource} {used} of {hard} used)" if limits else ""
    assert first(cluster) == f"db-0 is pending: volume claim data not found{said}"
    report = look(cluster)
    matches = MATCHER.match_symptom(report.symptoms[0], report)
    assert [m.id for m in matches if m.confident] == ([] if limits else ["claim-pending"])
    listed = {m.id for m in matches}
    assert listed >= ({"claim-pending", "quota-used-up"} if limits else {"claim-pending"})
