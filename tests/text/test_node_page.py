"""The page of a node: heartbeat, bars, owners, and what differs from the other nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster.kube import objects as k
from cluster.live.store import Store
from text.node_page import node_lines
from triage.facts.measurements import NodeUsage

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
ROOM = {"cpu": "4", "memory": "8Gi", "pods": "10"}


def node(name: str, kernel: str = "6.1.0", **spec: object) -> k.Node:
    return k.Node(
        metadata=k.ObjectMeta(name=name, uid=name),
        spec=k.NodeSpec(**spec),  # type: ignore[arg-type]  # fields of a node
        status=k.NodeStatus(
            allocatable=ROOM,
            node_info=k.NodeSystemInfo(kernel_version=kernel, kubelet_version="v1"),
        ),
    )


def pod(name: str, on: str, cpu: str = "1", owner: str = "", phase: str = "Running") -> k.Pod:
    needs = k.ResourceRequirements(requests={"cpu": cpu, "memory": "1Gi"})
    owners = (
        (k.OwnerReference(kind="DaemonSet", name=owner, uid=owner, controller=True),)
        if owner
        else ()
    )
    return k.Pod(
        metadata=k.LeanMeta(name=name, namespace="shop", uid=name, owner_references=owners),
        spec=k.PodSpec(node_name=on, containers=(k.Container(name="a", resources=needs),)),
        status=k.PodStatus(phase=phase, qos_class="Burstable"),
    )


def shown(
    *objects: k.Node | k.Pod, lease: timedelta | None = None, usage: NodeUsage | None = None
) -> str:
    store = Store()
    store.replace("Node", [each for each in objects if isinstance(each, k.Node)])
    store.replace("Pod", [each for each in objects if isinstance(each, k.Pod)])
    if lease is not None:
        meta = k.ObjectMeta(name="n1", namespace="kube-node-lease")
        store.replace("Lease", [k.Lease(metadata=meta, spec=k.LeaseSpec(renew_time=NOW - lease))])
    one = next(each for each in store.all("Node", k.Node) if each.metadata.name == "n1")
    lines = node_lines(one, usage, store, NOW)
    return "\n".join(line.text for line in lines)


def test_requests_and_use_stand_against_what_can_be_allocated() -> None:
    pods = (pod("a", "n1"), pod("b", "n1", cpu="2"), pod("done", "n1", phase="Succeeded"))
    text = shown(node("n1"), *pods, usage=NodeUsage("n1", cpu_cores=1.0, memory_bytes=9 << 30))
    assert "75%  3.0 cores of 4.0 cores" in text
    assert "25%  2.0 GiB of 8.0 GiB" in text
    assert "20%  2 of 10" in text
    assert "112%  9.0 GiB of 8.0 GiB" in text


def test_use_that_was_not_measured_is_said() -> None:
    assert "Use is not measured yet" in shown(node("n1"))


def test_a_heartbeat_that_is_late_is_told_from_one_that_was_not_read() -> None:
    assert "its Lease was not read" in shown(node("n1"))
    assert "Lease renewed 5 s ago" in shown(node("n1"), lease=timedelta(seconds=5))
    late = shown(node("n1"), lease=timedelta(minutes=3))
    assert "Lease renewed 3 min ago; the kubelet renews it every 10 s" in late


def test_what_differs_from_the_other_nodes() -> None:
    others = [node("n2"), node("n3"), node("n4")]
    agents = [pod(f"cni-{n}", n, owner="cni") for n in ("n2", "n3", "n4")]
    text = shown(node("n1", kernel="5.4.0"), *others, *agents)
    assert "5.4.0; 3 of 3 others: 6.1.0" in text
    assert "DaemonSet shop/cni does not run here; on 3 of 3 others" in text
    assert "No difference is known" in shown(node("n1"), *others)


def test_pods_stand_below_their_owner() -> None:
    text = shown(node("n1"), pod("a", "n1"), pod("c1", "n1", owner="cni"))
    assert "2 Burstable" in text
    assert "DaemonSet shop/cni  requests 1.00 cores, 1.0 GiB" in text
