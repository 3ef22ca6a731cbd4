"""What fills the disk of a node: said with who holds most, and only logs make their story sure."""

from __future__ import annotations

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import NOW, Cluster, ago, ts
from tests.triage.situation import MATCHER
from triage.engine import triage_once
from triage.facts.finding import Report
from triage.facts.measurements import DiskUsage, PodDisk, Sample, Sources

GIB = 2**30
STORY = "node-disk-full-container-logs"


def pod(name: str, logs: int = 0, files: int = 0, inodes: int = 0) -> PodDisk:
    return PodDisk(Ref("Pod", "shop", name), logs * GIB, files * GIB, inodes)


def report(
    *pods: PodDisk, images: int = 10, available: int = 5, inodes: float | None = None
) -> Report:
    """A node under disk pressure with no image left to remove, and a disk of 100 GiB."""
    cluster = Cluster(3)
    cluster.nodes[0]["status"]["conditions"].append(
        {"type": "DiskPressure", "status": "True", "lastTransitionTime": ts(ago(minutes=10))}
    )
    name = cluster.nodes[0]["metadata"]["name"]
    said = "Attempted to free 9 bytes, but only found 0 bytes eligible to free."
    cluster.event("Node", "", name, "FreeDiskSpaceFailed", said, ago(minutes=1), ago(minutes=9))
    usage = DiskUsage(name, 100 * GIB, available * GIB, images * GIB, pods, inodes)
    disks = Sample(NOW, 0.0, (usage,)) if pods or images != 10 else None
    return triage_once(cluster.store(), NOW, {}, Sources(disks=disks))


def sure(found: Report) -> set[str]:
    return {
        match.id
        for symptom in found.symptoms
        for match in MATCHER.match_symptom(symptom, found)
        if match.confident
    }


@pytest.mark.parametrize(
    ("found", "largest", "words"),
    [
        (report(pod("a", logs=60), pod("b", logs=9)), "logs", "69.0 GiB of the 95.0 GiB"),
        (report(pod("a", files=50)), "files", "most by shop/a (50.0 GiB)"),
        (report(pod("a", logs=1), images=70), "images", "images hold"),
        (report(pod("a", logs=1)), "other", "something outside of pods"),
        (report(pod("a", inodes=9_000), available=60, inodes=0.01), "inodes", "9,000 inodes"),
    ],
)
def test_what_holds_most_is_said_and_only_logs_are_the_story(
    found: Report, largest: str, words: str
) -> None:
    (used,) = (f for f in found.findings if f.rule == "node-disk-used")
    assert used.facts["largest"] == largest
    assert words in used.claim
    assert (STORY in sure(found)) is (largest == "logs")
    assert len(found.symptoms) == 1, "it is one symptom with the pressure"


def test_a_full_disk_without_figures_is_sure_of_no_story() -> None:
    assert STORY not in sure(report())


def test_where_nothing_holds_a_third_nothing_is_said() -> None:
    found = report(pod("a", logs=25, files=24), images=25)
    assert [f.rule for f in found.findings if f.rule == "node-disk-used"] == []
