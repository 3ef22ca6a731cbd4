"""Names, packet sizes and the way out, measured from real pods on two real nodes: the right
component is named, its neighbours are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from probes.result import Component, ProbeResult, ResultClass
from tests.probes.onnodes import (
    Story,
    endpoints,
    inside_pod,
    measure,
    ours,
    pod_on_each,
    rule,
    service,
    serving,
    told,
)
from tests.rungs.nodes import Lab
from tests.rungs.programs.kubelet import CLUSTER_DNS
from tests.rungs.story import play

pytestmark = pytest.mark.nodes

OUTSIDE = "203.0.113.9"

_DNS = """
import socket, struct, sys, threading, time
delay = float(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 53))
def answer(q):
    body = q[12:]; question = body[:body.index(0) + 5]; kind = struct.unpack(">H", question[-4:-2])[0]
    known = body.startswith(b"\\x0akubernetes\\x07default\\x03svc"); give = known and kind == 1
    record = b"\\xc0\\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + bytes([10, 96, 0, 1]) if give else b""
    return q[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, int(give), 0, 0) + question + record
def reply(q, peer):
    time.sleep(delay); s.sendto(answer(q), peer)
def loop():
    while True:
        q, peer = s.recvfrom(512)
        if delay >= 0: threading.Thread(target=reply, args=(q, peer), daemon=True).start()
threading.Thread(target=loop, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
"""Answers after `delay` seconds; below zero never."""

_LISTEN = """
import socket, sys, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(64)
def loop():
    while True: s.accept()[0].close()
threading.Thread(target=loop, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def story(nodes_lab: Lab) -> Iterator[Story]:
    with nodes_lab.cluster.client() as http, play(http, list(nodes_lab.members)) as pods:
        yield nodes_lab, http, pods


def components(result: ProbeResult) -> list[Component]:
    return [each.component for each in result.conclusions]


# ---- names


async def dns(story: Story, delays: dict[str, float]) -> tuple[ProbeResult, dict[str, str]]:
    """Two DNS servers behind kube-system/kube-dns that answer after so many seconds, asked from
    namespace nginx; (answer, node -> pod)."""
    lab, http, _ = story
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    with ExitStack() as stack:
        pods = stack.enter_context(pod_on_each(lab, http, "kube-system", "dns"))
        stack.enter_context(
            service(
                http,
                "kube-system",
                "kube-dns",
                clusterIP=CLUSTER_DNS,
                selector={"app": "dns"},
                ports=ports,
            )
        )
        for node, pod in pods.items():
            stack.enter_context(
                serving(
                    inside_pod(lab.members[node], pod["status"]["podIP"]),
                    _DNS,
                    str(delays.get(node, 0)),
                )
            )
        await endpoints(http, "kube-system", "kube-dns", 2)
        result = await measure(lab, "dns", namespace="nginx")
    assert ours(http) == []
    assert result.left_behind == ()
    return result, {node: pod["metadata"]["name"] for node, pod in pods.items()}


async def test_one_of_two_dns_servers_answers_slowly(story: Story) -> None:
    result, pods = await dns(story, {"node-2": 1.3})
    assert components(result) == [Component("dns", f"kube-system/{pods['node-2']}")], told(result)
    assert result.conclusions[0].confidence >= 0.8
    quick = [c for c in result.cells if c.target.pod == pods["node-1"]]
    assert quick
    assert all(
        each.verdict is ResultClass.OK and each.ms < 500 for c in quick for each in c.tries
    ), told(result)
    slow = [c for c in result.cells if c.target.pod == pods["node-2"]]
    assert all(
        each.verdict is ResultClass.OK and each.ms >= 1000 for c in slow for each in c.tries
    ), told(result)


async def test_one_of_two_dns_servers_is_silent(story: Story) -> None:
    result, pods = await dns(story, {"node-1": -1})
    assert components(result)[0] == Component("dns", f"kube-system/{pods['node-1']}"), told(result)
    assert not {each.kind for each in components(result)} & {"node", "service"}, told(result)
    assert (result.finished - result.started).total_seconds() < 90


async def test_dns_servers_that_answer_are_not_accused(story: Story) -> None:
    result, _ = await dns(story, {})
    assert components(result) == [Component("none", "")], told(result)
    assert result.complete


# ---- packet sizes


async def test_a_smaller_mtu_on_one_path(story: Story) -> None:
    lab, http, _ = story
    near, far = lab.members["node-1"], lab.members["node-2"]
    route = (far.pod_range, "via", far.address)
    near.namespace.run("ip", "route", "replace", *route, "mtu", "lock", "1300")
    try:
        with rule(
            near.namespace,
            "OUTPUT",
            "-p",
            "icmp",
            "--icmp-type",
            "fragmentation-needed",
            "-j",
            "DROP",
        ):
            result = await measure(lab, "mtu", **{"from": "nginx", "to": "marketplace"})
    finally:
        near.namespace.run("ip", "route", "replace", *route)
    assert components(result) == [Component("mtu", "node-1 -> node-2")], told(result)
    assert result.conclusions[0].confidence >= 0.9
    assert result.complete
    assert ours(http) == []


async def test_equal_packet_sizes_blame_no_component(story: Story) -> None:
    lab, http, _ = story
    result = await measure(lab, "mtu", **{"from": "nginx", "to": "marketplace"})
    assert components(result) == [Component("none", "")], told(result)
    assert {row.facts["mtu"] for row in result.rows} == {1500}
    assert ours(http) == []


# ---- the way out


@pytest.fixture
def outside(story: Story) -> Iterator[None]:
    """A server beyond the nodes that knows no pod addresses, as the world outside; only what a node
    translates comes back."""
    lab, _, _ = story
    middle = lab.network.control_plane
    middle.run("ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo")
    ranges = {
        member: ("route", member.pod_range, "via", member.address)
        for member in lab.members.values()
    }
    for member in ranges:
        middle.run("ip", "route", "delete", member.pod_range)
    try:
        with serving(middle.enter, _LISTEN, OUTSIDE, "443"):
            yield
    finally:
        for member in ranges:
            middle.run("ip", "route", "add", member.pod_range, "via", member.address)
        middle.run("ip", "address", "delete", f"{OUTSIDE}/32", "dev", "lo")


def translation(story: Story, node: str) -> tuple[str, ...]:
    return (
        "POSTROUTING",
        "-s",
        story[0].members[node].pod_range,
        "-d",
        OUTSIDE,
        "-j",
        "MASQUERADE",
    )


async def test_one_node_does_not_translate_what_goes_out(story: Story, outside: None) -> None:
    lab, http, _ = story
    with rule(lab.members["node-1"].namespace, *translation(story, "node-1"), table="nat"):
        result = await measure(lab, "egress", namespace="nginx", target=f"{OUTSIDE}:443")
    assert components(result)[0] == Component("node", "node-2"), told(result)
    assert not {each.kind for each in components(result)} & {"address", "network-policy"}, told(
        result
    )
    assert ours(http) == []


async def test_no_node_translates_what_goes_out(story: Story, outside: None) -> None:
    lab, http, _ = story
    result = await measure(lab, "egress", namespace="nginx", target=f"{OUTSIDE}:443")
    assert components(result)[0] == Component("address", f"{OUTSIDE}:443"), told(result)
    assert ours(http) == []


async def test_the_way_out_is_open(story: Story, outside: None) -> None:
    lab, http, _ = story
    with ExitStack() as stack:
        for name, member in lab.members.items():
            stack.enter_context(rule(member.namespace, *translation(story, name), table="nat"))
        result = await measure(lab, "egress", namespace="nginx", target=f"{OUTSIDE}:443")
    assert components(result)[0].kind == "none", told(result)
    assert ours(http) == []
