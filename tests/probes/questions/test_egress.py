"""Out of the cluster: whose fault it is when an outside address does not answer."""

from __future__ import annotations

import pytest

from probes import catalogue
from probes.result import Component
from tests.probes.cells import story
from tests.probes.fake import FakeCluster, Network

OUTSIDE = "203.0.113.9:443"


async def outcome(network: Network) -> Component:
    cluster = FakeCluster(story(drifted=False), network)
    context = cluster.context()
    plan = await catalogue.plan("egress", context, {"namespace": "nginx", "target": OUTSIDE})
    assert plan.refused == ""
    result = await catalogue.run(plan, context)
    assert result.document["probe"] == "egress"
    assert cluster.objects == {}
    return result.conclusions[0].component


@pytest.mark.parametrize(
    ("network", "component"),
    [
        (lambda *_: "ok", Component("none", "")),
        (lambda *_: "drop", Component("address", OUTSIDE)),
        (
            lambda space, node, target: "drop" if node == "node-1" else "ok",
            Component("node", "node-1"),
        ),
        (
            lambda space, node, target: "drop" if space == "nginx" else "ok",
            Component("network-policy", "nginx -> 203.0.113.9"),
        ),
    ],
)
async def test_who_is_accused(network: Network, component: Component) -> None:
    assert await outcome(network) == component


@pytest.mark.parametrize(
    "target", ["", "example.org", "example.org:0", "a b:80", "0.0.0.0:80", "x;y:80"]
)
async def test_bad_targets_get_one_sentence(target: str) -> None:
    plan = await catalogue.plan(
        "egress",
        FakeCluster(story(), lambda *_: "ok").context(),
        {"namespace": "nginx", "target": target},
    )
    assert plan.refused
    assert "\n" not in plan.refused
