"""The acceptance test: two real nodes, real pods, real rules. The probe must name what is at fault,
and leave nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from probes.pods.sweep import sweep
from probes.result import Component, ProbeResult, ResultClass
from tests.probes.fileledger import FileLedger
from tests.probes.onnodes import Story, endpoints, measure, ours, rule, service, told
from tests.probes.real import real_context
from tests.rungs.nodes import Lab
from tests.rungs.story import play

pytestmark = pytest.mark.nodes


@pytest.fixture(scope="module")
def story(nodes_lab: Lab) -> Iterator[tuple[Lab, httpx.Client, list[dict[str, Any]]]]:
    with nodes_lab.cluster.client() as http, play(http, list(nodes_lab.members)) as pods:
        yield nodes_lab, http, pods


async def probe(lab: Lab, **arguments: str) -> ProbeResult:
    return await measure(lab, "connectivity", **arguments)


async def test_the_probe_names_policy_enforcement_on_node_2(story: Story) -> None:
    lab, http, _ = story
    with lab.reject("node-2", source="nginx", target="marketplace"):
        result = await probe(lab, **{"from": "nginx", "to": "marketplace"})
    assert ours(http) == []
    assert result.left_behind == ()
    assert result.complete, told(result)
    best = result.conclusions[0]
    assert best.component == Component("policy-enforcement", "node-2"), told(result)
    assert best.confidence >= 0.9
    assert len(result.conclusions) == 1, told(result)
    bad = [c for c in result.cells if c.source.namespace == "nginx" and c.target.node == "node-2"]
    assert bad
    assert all(
        c.main is ResultClass.REJECTED and not c.mixed and c.sender == "node-2" for c in bad
    ), told(result)
    good = [c for c in result.cells if c.target.pod and c not in bad]
    assert all(c.main is ResultClass.OK and not c.failed for c in good), told(result)


async def test_without_the_fault_no_component_is_blamed(story: Story) -> None:
    lab, http, _ = story
    result = await probe(lab, **{"from": "nginx", "to": "marketplace"})
    assert result.conclusions[0].component.kind == "none", told(result)
    assert ours(http) == []


async def test_a_wrong_target_port_is_the_services_fault(story: Story) -> None:
    lab, http, _ = story
    with service(
        http,
        "marketplace",
        "wrong",
        selector={"app": "identity"},
        ports=[{"port": 80, "targetPort": 9999}],
    ):
        await endpoints(http, "marketplace", "wrong", 2)
        result = await probe(lab, **{"from": "nginx", "to": "marketplace/wrong"})
    best = result.conclusions[0]
    assert best.component == Component("service", "marketplace/wrong"), told(result)
    assert "9999" in best.next
    assert {c.main for c in result.cells if c.target.pod} == {ResultClass.REFUSED}, told(result)


async def test_a_service_without_endpoints_is_the_services_fault(story: Story) -> None:
    lab, http, _ = story
    with service(http, "marketplace", "empty", selector={"app": "absent"}, ports=[{"port": 80}]):
        result = await probe(lab, **{"from": "nginx", "to": "marketplace/empty"})
    assert result.conclusions[0].component == Component("service", "marketplace/empty"), told(
        result
    )


def assert_the_way_to_node_2(result: ProbeResult) -> None:
    """The network between the nodes is accused, and no policy, Service or pod."""
    best = result.conclusions[0].component
    assert best.kind in ("path", "node-network", "network"), told(result)
    assert "node-2" in best.name or best.name == "between nodes", told(result)
    wrong = ("policy-enforcement", "network-policy", "service", "kube-proxy", "pod", "dns")
    assert [
        c for c in result.conclusions if c.component.kind in wrong and c.confidence > 0.5
    ] == [], told(result)


async def test_packets_between_nodes_are_dropped(story: Story) -> None:
    lab, http, _ = story
    member = lab.members["node-2"]
    dropped = (
        "FORWARD",
        "-d",
        member.pod_range,
        "!",
        "-s",
        member.pod_range,
        "-p",
        "tcp",
        "-j",
        "DROP",
    )
    with rule(member.namespace, *dropped):
        result = await probe(lab, **{"from": "nginx", "to": "marketplace"})
    assert_the_way_to_node_2(result)
    assert ours(http) == []


async def test_a_node_whose_route_to_pods_is_missing(story: Story) -> None:
    """node-1 knows no way to node-2's pods and asks its gateway, which knows none either and says
    so."""
    lab, http, _ = story
    near, far = lab.members["node-1"], lab.members["node-2"]
    away = [
        (near.namespace, far.pod_range, far.address),
        (lab.network.control_plane, far.pod_range, far.address),
    ]
    for namespace, pods, _ in away:
        namespace.run("ip", "route", "delete", pods)
    try:
        result = await probe(lab, **{"from": "nginx", "to": "marketplace"})
    finally:
        for namespace, pods, way in away:
            namespace.run("ip", "route", "add", pods, "via", way)
    assert_the_way_to_node_2(result)
    assert ours(http) == []


@pytest.mark.parametrize("row", [1, 2, 4, 7, 8])
async def test_after_kill_9_the_next_start_leaves_nothing(
    story: Story, tmp_path: Path, row: int
) -> None:
    lab, http, _ = story
    ledger = tmp_path / "ledger.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.probes.interrupted",
        str(lab.cluster.kubeconfig),
        str(ledger),
        str(row),
        "nginx",
        "marketplace",
    )
    assert await asyncio.wait_for(process.wait(), 90) == -signal.SIGKILL
    if row > 1:
        assert ours(http), "something was there when it was killed"
    async with real_context(lab.cluster.kubeconfig, FileLedger(ledger)) as context:
        report = await sweep(context)
    assert report.clean, report.sentence
    assert ours(http) == []
    assert await FileLedger(ledger).open_intents() == ()


async def test_an_ephemeral_container_measures_as_the_client_itself(story: Story) -> None:
    lab, http, pods = story
    client = next(
        p
        for p in pods
        if p["metadata"]["namespace"] == "nginx" and p["spec"]["nodeName"] == "node-1"
    )
    name = client["metadata"]["name"]
    with lab.reject("node-2", source="nginx", target="marketplace"):
        result = await probe(
            lab, **{"from": f"nginx/{name}", "to": "marketplace", "how": "ephemeral"}
        )
    assert result.conclusions[0].component == Component("policy-enforcement", "node-2"), told(
        result
    )
    mine = [c for c in result.cells if c.source.how == "ephemeral container in the client"]
    assert {(c.source.pod, c.source.address) for c in mine} == {(name, client["status"]["podIP"])}
    assert all(c.counted for c in mine), told(result)
    assert [ref.kind for ref in result.left_behind] == ["EphemeralContainer"]
    assert ours(http) == []
    found = http.get(f"/api/v1/namespaces/nginx/pods/{name}").json()
    added = found["spec"]["ephemeralContainers"]
    assert len(added) == 1
    assert found["metadata"]["labels"] == client["metadata"]["labels"]
    assert found["status"]["ephemeralContainerStatuses"][0]["state"].get("running") is not None


async def test_without_any_pod_through_the_api_server(story: Story) -> None:
    """The proxy and port-forward on a real API server and kubelet: an answer, a refused port, a
    Service without endpoints."""
    lab, http, _ = story
    good = await measure(lab, "connectivity", to="marketplace/identity", how="proxy")
    assert {c.main for c in good.cells} == {ResultClass.OK}, told(good)
    assert [bool(c.target.pod) for c in good.cells] == [True, True, False]
    with service(
        http,
        "marketplace",
        "wrong",
        selector={"app": "identity"},
        ports=[{"port": 80, "targetPort": 9999}],
    ):
        await endpoints(http, "marketplace", "wrong", 2)
        for how in ("proxy", "port-forward"):
            bad = await measure(lab, "connectivity", to="marketplace/wrong", how=how)
            assert {c.main for c in bad.cells if c.target.pod} == {ResultClass.REFUSED}, told(bad)
    with service(http, "marketplace", "empty", selector={"app": "absent"}, ports=[{"port": 80}]):
        empty = await measure(lab, "connectivity", to="marketplace/empty", how="proxy")
    assert empty.conclusions[0].component == Component("service", "marketplace/empty"), told(empty)
    heard = await measure(lab, "connectivity", to="marketplace/identity", how="port-forward")
    assert {c.main for c in heard.cells} == {ResultClass.OK}, told(heard)
    assert all("200" in each.detail for c in heard.cells for each in c.tries), told(heard)
    assert ours(http) == []
