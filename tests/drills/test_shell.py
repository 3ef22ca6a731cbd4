"""Connections and commands in the containers of a drill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drills.api.objects import Obj
from drills.pods.connectivity import Network
from drills.pods.probe_scripts import header
from drills.pods.shell import Exit, Shell, StreamOutput
from drills.scenario.catalogue import load
from drills.scenario.expand import expand
from drills.scenario.model import Scenario
from drills.scenario.world import World
from tests.drills.conftest import NOW, scenario


def world_of(given: Scenario) -> tuple[World, Shell]:
    world = expand(given, NOW)
    return world, Shell(Network(world.of, world.surroundings), 1000.0)


def one(world: World, **want: Any) -> Obj:
    return world.select("Pod", want)[0]


async def output(shell: Shell, pod: Obj, *command: str) -> tuple[str, str, Exit]:
    out, err, end = b"", b"", Exit(-1)
    async for piece in shell.run(pod, pod["spec"]["containers"][0]["name"], list(command)):
        if isinstance(piece, StreamOutput):
            out, err = (out + piece.data, err) if piece.stream == 1 else (out, err + piece.data)
        else:
            end = piece
    return out.decode(), err.decode(), end


async def tries(shell: Shell, pod: Obj, *arguments: str) -> list[dict[str, Any]]:
    out, _, end = await output(
        shell, pod, "sh", "-c", f"{header('connectivity')}\nanything", "sh", *arguments
    )
    assert end == Exit(0)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in (lines[0], lines[1], lines[-1])] == ["begin", "idle", "end"]
    assert lines[-1]["count"] == len(lines) - 3
    return lines[2:-1]


@pytest.fixture(scope="module")
def healthy() -> tuple[World, Shell]:
    return world_of(scenario())


async def test_what_policies_allow_is_open_and_what_they_do_not_is_rejected(
    healthy: tuple[World, Shell],
) -> None:
    world, shell = healthy
    target = one(world, namespace="marketplace", app="catalog-api")
    address = f"{target['status']['podIP']}:8080"
    same = await tries(shell, one(world, namespace="marketplace", app="cart"), address)
    assert (same[0]["said"], same[0]["segs"], same[0]["unreach"]) == ("open", 2, 0)
    ingress = await tries(shell, one(world, namespace="nginx"), address)
    assert ingress[0]["said"] == "open"
    stranger = await tries(shell, one(world, namespace="tools", app="backstage"), address)
    assert (
        stranger[0]["said"],
        stranger[0]["unreach"],
        stranger[0]["retrans"],
        stranger[0]["ms"],
    ) == ("refused", 2, 1, 1010)


async def test_a_closed_port_is_reset(healthy: tuple[World, Shell]) -> None:
    world, shell = healthy
    target = one(world, namespace="marketplace", app="catalog-api")
    seen = await tries(
        shell, one(world, namespace="marketplace", app="cart"), f"{target['status']['podIP']}:81"
    )
    assert (seen[0]["said"], seen[0]["fails"], seen[0]["segs"], seen[0]["unreach"]) == (
        "refused",
        1,
        1,
        0,
    )


async def test_services_and_names(healthy: tuple[World, Shell]) -> None:
    world, shell = healthy
    service = world.get("Service", "marketplace", "catalog-api")
    assert service is not None
    source = one(world, namespace="marketplace", app="cart")
    found = await tries(
        shell,
        source,
        "tries=2",
        f"{service['spec']['clusterIP']}:80",
        "catalog-api:80",
        "catalog-api.marketplace:80",
        "catalog-api.marketplace.svc.cluster.local:80",
        "absent.marketplace:80",
    )
    assert [t["said"] for t in found] == ["open", "open", "open", "open", "noname"] * 2


async def test_the_story_of_the_policy_agent() -> None:

    world, shell = world_of(load("network-policy-cni-version-skew"))
    bad, good = (
        one(world, namespace="marketplace", app="catalog-api", **where)
        for where in ({"node": "node-b2"}, {"notNode": "node-b2"})
    )
    ingress, inside = one(world, namespace="nginx"), one(world, namespace="marketplace", app="cart")
    addresses = [f"{p['status']['podIP']}:8080" for p in (bad, good)]
    assert [t["said"] for t in await tries(shell, ingress, *addresses)] == ["refused", "open"]
    assert [t["said"] for t in await tries(shell, inside, *addresses)] == ["open", "open"]
    rejected = (await tries(shell, ingress, addresses[0]))[0]
    assert (rejected["unreach"], rejected["segs"], rejected["ms"]) == (2, 0, 1010)


@pytest.mark.parametrize(
    ("rule", "said", "retrans", "unreach", "opens"),
    [
        ({"result": "timeout"}, "timeout", 2, 0, 1),
        ({"result": "noroute"}, "noroute", 1, 2, 1),
        ({"result": "netunreach"}, "netunreach", 1, 2, 1),
        ({"result": "slow"}, "open", 1, 0, 1),
        ({"result": "ok"}, "open", 0, 0, 1),
    ],
)
async def test_outcomes_look_like_the_kernel(
    rule: dict[str, Any], said: str, retrans: int, unreach: int, opens: int
) -> None:
    world, shell = world_of(scenario(exec={"connect": [{"to": {"app": "catalog-api"}, **rule}]}))
    address = f"{one(world, namespace='marketplace', app='catalog-api')['status']['podIP']}:8080"
    seen = (await tries(shell, one(world, namespace="marketplace", app="cart"), address))[0]
    assert (seen["said"], seen["retrans"], seen["unreach"], seen["opens"]) == (
        said,
        retrans,
        unreach,
        opens,
    )


async def test_python_names_the_sender() -> None:
    world, shell = world_of(
        scenario(
            exec={
                "connect": [{"to": {"node": "node-a1"}, "result": "rejected"}],
                "commands": [{"tools": ["python3", "nc", "timeout"], "match": "^$"}],
            }
        )
    )
    target = world.select("Pod", {"node": "node-a1", "owner": "ReplicaSet/*"})[0]
    out, _, end = await output(
        shell,
        one(world, namespace="nginx"),
        "python3",
        "-c",
        f"{header('connectivity')}\nx",
        f"{target['status']['podIP']}:80",
    )
    seen = json.loads(out.splitlines()[2])
    assert (seen["said"], seen["icmp"], seen["from"], seen["ms"], seen["unreach"]) == (
        "refused",
        "3/3",
        "10.99.1.21",
        1,
        1,
    )
    assert end == Exit(0)


async def test_calls_to_the_outside() -> None:

    world, shell = world_of(load("egress-snat-misconfigured"))
    from_pod = await tries(
        shell, one(world, namespace="billing", app="payments"), "tries=20", "203.0.113.9:443"
    )
    assert {t["said"] for t in from_pod} == {"open", "timeout"}
    from_node = await tries(
        shell,
        one(world, namespace="monitoring", app="node-exporter"),
        "tries=20",
        "203.0.113.9:443",
    )
    assert {t["said"] for t in from_node} == {"open"}


async def test_everyday_commands(healthy: tuple[World, Shell]) -> None:
    world, shell = healthy
    pod = one(world, namespace="marketplace", app="cart")
    assert (await output(shell, pod, "hostname"))[0] == pod["metadata"]["name"] + "\n"
    assert "ndots:5" in (await output(shell, pod, "cat", "/etc/resolv.conf"))[0]
    assert await output(shell, pod, "sh", "-c", "echo out; echo err >&2; exit 7") == (
        "out\n",
        "err\n",
        Exit(7),
    )
    assert (await output(shell, pod, "sh", "-c", "false || echo second"))[0] == "second\n"
    missing = (await output(shell, pod, "tcpdump"))[2]
    assert missing.code == 126
    assert '"tcpdump": executable file not found' in missing.message


async def test_a_cache_on_every_node_mends_the_look_ups_of_dns_latency_ndots() -> None:
    given = load("dns-latency-ndots")
    world, _ = world_of(given)
    network = Network(world.of, world.surroundings)
    client = one(world, namespace="marketplace", app="storefront")

    def slow() -> int:
        return sum(network.look_up(client, "-", "catalog-api", n, 9)[1] > 5000 for n in range(200))

    assert slow() > 2
    servers = [pod["status"]["podIP"] for pod in world.select("Pod", {"app": "coredns"})]
    seen = {
        tuple(network.look_up(client, server, "catalog-api", n, 9)[1] > 5000 for n in range(200))
        for server in servers
    }
    assert len(seen) == len(servers) > 1, "each server is slow at its own tries"
    (step,) = given.data["byHand"]["node-cache"]
    world.surroundings.add(step, NOW)
    assert slow() == 0
    assert network.look_up(client, "-", "catalog-api", 0, 9)[0] == "found"
