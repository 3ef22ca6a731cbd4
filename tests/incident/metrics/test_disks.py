"""The kubelets of nodes that are short of disk are asked what fills it: those alone, once a
minute, within limits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cluster.errors import ClusterError, Forbidden
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from cluster.live.store import Store
from incident.metrics.disks import AGAIN, AT_ONCE, DisksReader, disk_usage, short_of_disk
from tests.triage.build import NOW, meta, row
from triage.facts.finding import Fact, Finding, Report, Severity
from triage.facts.finding_builder import make

GIB = 2**30


def system(capacity: int, available: int, used: int = 0, **inodes: int) -> dict[str, int]:
    return {
        "capacityBytes": capacity * GIB,
        "availableBytes": available * GIB,
        "usedBytes": used * GIB,
        **inodes,
    }


def pod(name: str, logs: int = 0, layer: int = 0, volumes: int = 0) -> dict[str, Any]:
    return {
        "podRef": {"namespace": "shop", "name": name},
        "containers": [
            {"logs": {"usedBytes": logs * GIB}, "rootfs": {"usedBytes": layer * GIB}},
        ],
        "ephemeral-storage": {"usedBytes": (logs + layer + volumes) * GIB, "inodesUsed": 7},
    }


def stats(root: dict[str, int], images: dict[str, int], *pods: dict[str, Any]) -> dict[str, Any]:
    return {"node": {"fs": root, "runtime": {"imageFs": images}}, "pods": list(pods)}


def test_on_one_file_system_all_counts() -> None:
    found = disk_usage(
        "n1", stats(system(100, 5), system(100, 5, 20), pod("a", 30, 4, 6), pod("b", 1))
    )
    assert found is not None
    assert [(p.pod.name, p.logs_bytes // GIB, p.files_bytes // GIB) for p in found.pods] == [
        ("a", 30, 10),
        ("b", 1, 0),
    ]
    assert (found.images_bytes // GIB, found.inodes_free) == (16, None)


def test_with_a_file_system_for_images_what_lies_on_the_fuller_one_counts() -> None:
    held = pod("a", 30, 4, 6)
    images_full = disk_usage("n1", stats(system(50, 25), system(100, 2, 90), held))
    root_full = disk_usage("n1", stats(system(50, 1), system(100, 60, 30), held))
    assert images_full is not None
    assert root_full is not None
    assert [(p.logs_bytes // GIB, p.files_bytes // GIB) for p in images_full.pods] == [(0, 4)]
    assert images_full.images_bytes // GIB == 86
    assert [(p.logs_bytes // GIB, p.files_bytes // GIB) for p in root_full.pods] == [(30, 6)]
    assert root_full.images_bytes == 0


def test_the_share_of_free_inodes_is_read() -> None:
    few = system(100, 60, inodes=1000, inodesFree=10)
    found = disk_usage("n1", stats(few, few, pod("a")))
    assert found is not None
    assert (found.inodes_free, found.pods[0].inodes) == (0.01, 7)


@pytest.mark.parametrize("odd", [{}, {"node": []}, {"node": {"fs": {"capacityBytes": "x"}}}])
def test_what_a_kubelet_does_not_say_is_not_known(odd: dict[str, Any]) -> None:
    assert disk_usage("n1", odd) is None


def said(rule: str, ref: Ref, **facts: Fact) -> Finding:
    return make(rule, ref, "", Severity.WARNING, "", facts=facts)


@pytest.mark.parametrize(
    ("finding", "node"),
    [
        (said("node-pressure", Ref("Node", "", "n1"), pressure="disk"), "n1"),
        (said("node-pressure", Ref("Node", "", "n1"), pressure="memory"), ""),
        (said("node-disk-reclaim-failed", Ref("Node", "", "n1")), "n1"),
        (said("node-eviction-threshold", Ref("Node", "", "n1"), resource="inodes"), "n1"),
        (said("node-eviction-threshold", Ref("Node", "", "n1"), resource="memory"), ""),
        (said("pod-image-pull-failed", Ref("Pod", "a", "b"), cause="no-space", node="n1"), "n1"),
        (said("pod-sandbox-failed", Ref("Pod", "a", "b"), cause="no-space", node="n1"), "n1"),
        (said("pod-sandbox-failed", Ref("Pod", "a", "b"), cause="cni", node="n1"), ""),
    ],
)
def test_only_a_lack_of_disk_asks_a_node(finding: Finding, node: str) -> None:
    assert short_of_disk(finding) == node


class Kubelets:
    """Answers a GET of stats/summary, and counts them."""

    def __init__(self, error: ClusterError | None = None) -> None:
        self.asked: list[str] = []
        self.error = error

    async def get_json(self, path: str, **_: Any) -> Any:
        self.asked.append(path.split("/")[4])
        if self.error is not None:
            raise self.error
        return stats(system(100, 5), system(100, 5, 20), pod("a", 60))


def short(*nodes: str) -> Report:
    found = [said("node-pressure", Ref("Node", "", name), pressure="disk") for name in nodes]
    return cast(Report, SimpleNamespace(findings=tuple(found)))


class Clock:
    now = NOW

    def __call__(self) -> Any:
        return self.now


def reader(kubelets: Kubelets, clock: Clock) -> DisksReader:
    store = Store()
    store.apply("Node", [row("Node", {"metadata": meta(f"n{n}", "")}) for n in range(9)])
    live = cast(LiveCluster, SimpleNamespace(store=store, api=kubelets))
    return DisksReader(live, clock)


async def test_a_node_is_asked_again_after_a_minute_and_forgotten_when_it_has_room() -> None:
    clock, kubelets = Clock(), Kubelets()
    disks = reader(kubelets, clock)
    assert disks.unread(short()) == ()
    assert await disks.read(disks.unread(short("n1", "gone")))
    assert kubelets.asked == ["n1"]
    assert disks.sample is not None
    assert disks.unread(short("n1")) == ()
    clock.now = NOW + AGAIN
    assert disks.unread(short("n1")) == ("n1",)
    assert disks.unread(short()) == ()
    assert disks.sample is None


async def test_many_nodes_take_turns() -> None:
    kubelets = Kubelets()
    disks = reader(kubelets, Clock())
    every = short(*(f"n{n}" for n in range(9)))
    first = disks.unread(every)
    assert len(first) == AT_ONCE
    await disks.read(first)
    assert sorted([*first, *disks.unread(every)]) == [f"n{n}" for n in range(9)]


async def test_a_refusal_is_not_asked_again_soon_and_is_no_gap() -> None:
    clock, kubelets = Clock(), Kubelets(Forbidden("no nodes/proxy", status=403))
    disks = reader(kubelets, clock)
    assert not await disks.read(disks.unread(short("n1")))
    clock.now = NOW + AGAIN
    assert (disks.sample, disks.unread(short("n1", "n2"))) == (None, ())
