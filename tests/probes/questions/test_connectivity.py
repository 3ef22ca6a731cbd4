"""The probe from plan to clean-up, on a cluster in memory: the story, the guards, and everything
that can go wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from cluster.errors import Forbidden, OutcomeUnknown, Unreachable
from cluster.kube.objects import Ref
from probes import catalogue
from probes.ledger import Intent, MemoryLedger
from probes.pods.preflight import POD_RIGHTS
from probes.pods.preparation import DEADLINE_S
from probes.questions import connectivity
from probes.result import Component, ResultClass
from probes.select.surroundings import node_of
from tests.probes.cells import meta, namespace, node, pod, policy, service, slice_of, store, story
from tests.probes.fake import FakeCluster

BAD_POD = "10.244.3.12:8080"


def story_network(source: str, source_node: str, target: str) -> str:
    return "icmp" if target == BAD_POD and source != "marketplace" else "ok"


async def run(cluster: FakeCluster, **arguments: str) -> Any:
    context = cluster.context()
    plan = await catalogue.plan(
        "connectivity", context, {"from": "nginx", "to": "marketplace", **arguments}
    )
    assert plan.refused == "", plan.refused
    return await catalogue.run(plan, context)


async def test_the_story_is_solved_and_nothing_is_left_behind() -> None:
    cluster = FakeCluster(story(), story_network)
    result = await run(cluster)
    best = result.conclusions[0]
    assert best.component == Component("policy-enforcement", "node-3")
    assert best.confidence >= 0.9
    assert any("kube-router" in line for line in best.evidence), (
        "the agent's other image is evidence"
    )
    assert cluster.objects == {}
    assert result.left_behind == ()
    assert result.complete
    assert {ref.kind for ref in result.created} == {"Pod", "ConfigMap"}
    assert cluster.ledger.rows == ()
    document = json.loads(json.dumps(result.document))
    assert document["schema"] == "stanch.probe/1"
    bad = next(
        c
        for c in document["cells"]
        if c["to"]["address"] == "10.244.3.12" and c["from"]["namespace"] == "nginx"
    )
    assert bad["results"] == {"rejected": 5}
    assert (bad["expected"], bad["sender"], bad["sender_source"]) == ("allow", "node-3", "inferred")


async def test_the_story_is_solved_in_a_cluster_of_ipv6_too() -> None:
    """The same, with the sender named by the kernel: an address of the node, or of its range of pod
    addresses."""
    for sender in ("fd00:244:3::1", "fd00:192:168::3"):

        def network(namespace: str, node: str, target: str, sender: str = sender) -> str:
            bad = namespace == "nginx" and target.startswith("[fd00:244:3::")
            return f"icmp6 from {sender}" if bad else "ok"

        result = await run(FakeCluster(story(six=True), network))
        assert result.conclusions[0].component == Component("policy-enforcement", "node-3")
        bad = [cell for cell in result.cells if cell.failed]
        assert {(cell.sender, cell.sender_source, cell.tries[0].icmp) for cell in bad} == {
            (sender, "kernel", "1/4")
        }
        assert node_of(story(six=True), sender) == "node-3"
        assert all(cell.target.address.startswith("fd00:244:3::") for cell in bad)


async def test_every_object_has_an_intent_before_it_exists() -> None:
    cluster = FakeCluster(story(), story_network)
    seen: list[bool] = []
    cluster.on_create = lambda name: seen.append(
        any(i.ref.name == name for i in cluster.ledger.rows)
    )
    await run(cluster)
    assert seen
    assert all(seen)


async def test_nothing_is_created_without_an_intent_on_disk() -> None:
    class Full(MemoryLedger):
        async def intend(self, intent: Intent) -> None:
            raise OSError("No space left on device")

    cluster = FakeCluster(story(), story_network)
    context = cluster.context(Full())
    plan = await catalogue.plan("connectivity", context, {"from": "nginx", "to": "marketplace"})
    with pytest.raises(OSError, match="No space"):
        await catalogue.run(plan, context)
    assert not any(line.startswith("create") for line in cluster.log)


async def test_the_plan_creates_nothing_and_tells_everything() -> None:
    cluster = FakeCluster(story(), story_network)
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"from": "nginx", "to": "marketplace"}
    )
    assert set(cluster.log) == {"dry-run"}
    assert plan.needs_agreement
    assert [(p.ref.namespace, p.node) for p in plan.creates] == [
        ("nginx", "node-1"),
        ("nginx", "node-3"),
        ("marketplace", "node-1"),
    ]
    assert all(p.image == "docker.io/library/busybox:1.36" and p.accepted for p in plan.creates)
    assert plan.selected_by == (
        "Service marketplace/identity (the probe pod is never ready, so it gets no traffic)",
    )
    assert {(r.verb, r.resource) for r in plan.rights} >= {
        ("get", "pods/exec"),
        ("create", "pods/exec"),
        ("create", "pods"),
    }
    spec = plan.creates[0].manifest["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == plan.deadline_s == 600
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert plan.creates[0].manifest["metadata"]["labels"]["app"] == "nginx", (
        "the client's own label"
    )
    assert "pod-template-hash" not in plan.creates[0].manifest["metadata"]["labels"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"to": "nosuch"}, "no namespace nosuch"),
        ({"from": "ngin"}, "did you mean nginx"),
        ({"to": "marketplace/nosuch"}, "neither a Service nor a pod"),
        ({"to": "0.0.0.0:80"}, "not an address that can be dialled"),
        ({"to": "10.0.0.1"}, "Add --port"),
        ({"to": "a name with spaces"}, "not a Kubernetes name"),
        ({"from": ""}, "From where"),
        ({"to": "marketplace/alias"}, "is an alias for example.org"),
        ({"to": "marketplace/pending"}, "has no address"),
        ({"to": "marketplace/identity", "port": "81"}, "has no port 81"),
        ({"port": "http"}, "not a number"),
        ({"from": "nginx/nosuch"}, "no pod nginx/nosuch"),
        ({"speed": "fast"}, "no parameter"),
    ],
)
async def test_bad_input_gets_one_sentence(arguments: dict[str, str], word: str) -> None:
    rows = story(
        more=(
            service(
                "alias", "marketplace", selector={}, type="ExternalName", externalName="example.org"
            ),
            pod("pending", "marketplace", "", phase="Pending"),
        )
    )
    cluster = FakeCluster(rows, story_network)
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"from": "nginx", "to": "marketplace", **arguments}
    )
    assert word in plan.refused
    assert "\n" not in plan.refused
    result = await catalogue.run(plan, cluster.context())
    assert not result.complete
    assert cluster.log == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"to": "marketplace/host"}, "NetworkPolicy is not defined"),
        ({"to": "marketplace/dual"}, "10.244.1.50 is measured, fd00::50 is not"),
        ({"to": "marketplace/both"}, "10.96.0.9 is measured, fd00::9 is not"),
        ({"from": "nginx/agent"}, "uses the node's network, the probe pod does not"),
    ],
)
async def test_unusual_targets_are_measured_with_one_clear_sentence(
    arguments: dict[str, str], word: str
) -> None:
    dual = pod("dual", "marketplace", "node-1", ip="10.244.1.50")
    dual["status"]["podIPs"] = [{"ip": "10.244.1.50"}, {"ip": "fd00::50"}]
    rows = story(
        more=(
            dual,
            pod("host", "marketplace", "node-1", ip="192.168.0.1", host_network=True),
            pod("agent", "nginx", "node-1", host_network=True),
            service(
                "both",
                "marketplace",
                selector={"app": "identity"},
                clusterIPs=["10.96.0.9", "fd00::9"],
            ),
        )
    )
    given = {"from": "nginx", "to": "marketplace", **arguments}
    plan = await catalogue.plan("connectivity", FakeCluster(rows, story_network).context(), given)
    assert plan.refused == ""
    found = [warning for warning in plan.warnings if word in warning]
    assert found
    assert "\n" not in found[0]


@pytest.mark.parametrize("arguments", [{"to": "fd00::17", "port": "80"}, {"to": "[fd00::17]:80"}])
async def test_ipv6(arguments: dict[str, str]) -> None:
    cluster = FakeCluster(story(), lambda *_: "ok")
    result = await run(cluster, **arguments)
    assert {(c.target.address, c.target.port, c.main) for c in result.cells} == {
        ("fd00::17", 80, ResultClass.OK)
    }


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"to": "[fd00::17]"}, "Add --port"),
        ({"to": "::"}, "not an address that can be dialled"),
        ({"to": "[::]:80"}, "not an address that can be dialled"),
        ({"to": "ff02::1", "port": "80"}, "not an address that can be dialled"),
        ({"to": "fd00::zz"}, "not a Kubernetes name"),
        ({"to": "10.0.0.1:99999"}, "'99999' is not a port on 10.0.0.1"),
        ({"to": "10.0.0.1:http"}, "'http' is not a port on 10.0.0.1"),
        ({"to": "[fd00::17", "port": "80"}, "write IPv6 with its port as [fd00::1]:80"),
        ({"to": "fe80::1", "port": "80"}, "not an address that can be dialled"),
        ({"to": "127.0.0.1:80"}, "is each pod itself"),
        ({"to": "[::1]:80"}, "is each pod itself"),
        ({"from": "a name with spaces"}, "not a Kubernetes name"),
    ],
)
async def test_unusual_addresses_that_cannot_be(arguments: dict[str, str], word: str) -> None:
    given = {"from": "nginx", "to": "marketplace", **arguments}
    plan = await catalogue.plan(
        "connectivity", FakeCluster(story(), story_network).context(), given
    )
    assert word in plan.refused
    assert "\n" not in plan.refused


async def test_a_failing_exec_is_not_a_blocked_connection() -> None:
    cluster = FakeCluster(story(), story_network, broken_exec="exec: error dialing backend")
    result = await run(cluster)
    assert {cell.main for cell in result.cells} == {ResultClass.EXEC_FAILED}
    assert not result.complete
    assert [c.component.kind for c in result.conclusions] == ["not-measured"]
    assert cluster.objects == {}


async def test_a_pod_that_cannot_start_says_why_in_the_clusters_words() -> None:
    cluster = FakeCluster(story(), story_network, stuck="ErrImageNeverPull")
    result = await run(cluster)
    assert any("ErrImageNeverPull" in p and "kubelet:" in p for p in result.problems)
    assert cluster.objects == {}
    assert not result.complete


async def test_cancelling_removes_what_was_created() -> None:
    cluster = FakeCluster(story(), story_network)
    started = asyncio.Event()
    cluster.on_exec = started.set
    task = asyncio.create_task(run(cluster))
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cluster.objects == {}


async def test_a_lost_answer_leaves_the_row_open_for_the_sweep() -> None:
    cluster = FakeCluster(story(), story_network)

    def lose(name: str) -> None:
        raise OutcomeUnknown("create: no answer")

    cluster.on_create = lose
    result = await run(cluster)
    assert not result.complete
    assert any(ref.kind == "ConfigMap" for ref in (i.ref for i in cluster.ledger.rows))


@pytest.mark.parametrize("right", [" ".join(each[:2]) for each in POD_RIGHTS])
async def test_forbidden_creation_falls_back_to_the_client_itself(right: str) -> None:
    cluster = FakeCluster(story(), story_network, denied=frozenset({right}))
    context = cluster.context()
    plan = await catalogue.plan("connectivity", context, {"from": "nginx", "to": "marketplace"})
    assert plan.creates == ()
    assert all("kubectl exec" in line for line in plan.executes)
    assert "inside a running client" in plan.method
    assert any(f"{right} is not allowed" in line for line in plan.warnings)
    result = await catalogue.run(plan, context)
    assert result.conclusions[0].component == Component("policy-enforcement", "node-3")
    assert result.created == ()


async def test_forbidden_exec_refuses_with_the_reason() -> None:
    cluster = FakeCluster(story(), story_network, denied=frozenset({"create pods/exec"}))
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"from": "nginx", "to": "marketplace"}
    )
    assert "pods/exec needs get and create" in plan.refused


async def test_admission_that_refuses_the_pod_is_told_before_anything_happens() -> None:
    error = Forbidden("create: denied the request: image policy", status=403)
    cluster = FakeCluster(story(), story_network, refuse_dry_run=error)
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"from": "nginx", "to": "marketplace"}
    )
    assert "image policy" in plan.refused


async def test_labels_that_would_touch_a_statefulset_are_not_cloned() -> None:
    adopting = {
        "kind": "StatefulSet",
        "metadata": meta("db", "nginx"),
        "spec": {"selector": {"matchLabels": {"app": "nginx"}}},
    }
    cluster = FakeCluster(story(more=(adopting,)), story_network)
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"from": "nginx", "to": "marketplace"}
    )
    assert [p.ref.namespace for p in plan.creates] == ["marketplace"]
    assert any("StatefulSet nginx/db" in w for w in plan.warnings)
    assert len(plan.executes) == 2


async def test_a_meshed_client_proves_nothing_by_connecting() -> None:
    rows = store(
        namespace("web"),
        namespace("db"),
        node("node-1"),
        node("node-2"),
        pod("pg", "db", "node-2", ip="10.244.2.5", labels={"app": "pg"}),
    )
    meshed = pod("shop", "web", "node-1", ip="10.244.1.5", labels={"app": "shop"})
    meshed["spec"]["containers"].append({"name": "istio-proxy", "image": "proxy:1"})
    for change in store(meshed).rows("Pod").values():
        rows.apply("Pod", [change])
    cluster = FakeCluster(rows, lambda *_: "ok", denied=frozenset({"create pods"}))
    context = cluster.context()
    plan = await catalogue.plan(
        "connectivity", context, {"from": "web/shop", "to": "db/pg", "control": "none"}
    )
    result = await catalogue.run(plan, context)
    assert {c.main for c in result.cells if c.source.how == "exec in the client"} == {
        ResultClass.NOT_MEASURED
    }


async def test_as_written_by_policy() -> None:
    deny = policy(
        "deny", "marketplace", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}
    )
    cluster = FakeCluster(
        story(drifted=False, more=(deny,)), lambda ns, *_: "ok" if ns == "marketplace" else "drop"
    )
    result = await run(cluster)
    assert [c.component.kind for c in result.conclusions] == ["network-policy"]
    assert "marketplace/deny" in result.conclusions[0].claim


async def test_a_service_without_endpoints_is_named() -> None:
    empty = service("empty", "marketplace", selector={"app": "none"}, clusterIP="10.96.0.77")
    rows = story(drifted=False, more=(empty, slice_of("empty", "marketplace", [])))
    cluster = FakeCluster(rows, lambda ns, n, target: "icmp" if target == "10.96.0.77:80" else "ok")
    result = await run(cluster, to="marketplace/empty")
    assert result.conclusions[0].component == Component("service", "marketplace/empty")


async def test_flapping_gets_more_tries_and_is_not_called_down() -> None:
    count = 0

    def network(source: str, source_node: str, target: str) -> str:
        nonlocal count
        if target.startswith("10.244.3.12") and source == "nginx":
            count += 1
            return "drop" if count > 8 and count % 3 == 0 else "ok"
        return "ok"

    cluster = FakeCluster(story(drifted=False), network)
    result = await run(cluster)
    flapping = [c for c in result.cells if c.target.address == "10.244.3.12" and c.mixed]
    assert flapping
    assert all(len(c.counted) >= 30 for c in flapping)
    assert any("intermittently" in c.claim for c in result.conclusions)


async def test_a_new_pod_that_is_not_known_yet_does_not_fake_a_bad_node() -> None:
    cluster = FakeCluster(story(drifted=False), lambda *_: "ok")
    born = cluster.now

    def network(source: str, source_node: str, target: str) -> str:
        young = (cluster.now - born).total_seconds() < 4
        return "drop" if young and target == BAD_POD else "ok"

    cluster.network = network
    result = await run(cluster)
    assert result.conclusions[0].component.kind == "none", result.conclusions


async def test_a_server_that_answers_now_and_then_gets_everything_removed() -> None:
    """Every other request of the removal fails: nothing may be called left behind that is gone, and
    nothing may stay."""

    class Faltering(FakeCluster):
        turn = 0

        def falter(self) -> None:
            self.turn += 1
            if self.turn % 2:
                raise Unreachable("no answer within the time limit")

        async def delete(
            self, path: str, *, uid: str = "", grace_seconds: int | None = None
        ) -> Mapping[str, Any]:
            self.falter()
            return await super().delete(path, uid=uid, grace_seconds=grace_seconds)

        async def get_json(self, path: str, *given: Any, **more: Any) -> Any:
            if any(line.startswith("delete") for line in self.log):
                self.falter()
            return await super().get_json(path, *given, **more)

    cluster = Faltering(story(), story_network)
    result = await run(cluster)
    assert cluster.objects == {}
    assert result.left_behind == ()
    assert cluster.ledger.rows == ()


async def test_a_closed_terminal_does_not_keep_anything_from_being_removed() -> None:
    """Seen on real nodes: the words "removing what was created" found a broken pipe, and nothing
    was removed."""

    def closed(_: str) -> None:
        raise BrokenPipeError

    cluster = FakeCluster(story(), story_network)
    context = cluster.context()
    plan = await catalogue.plan("connectivity", context, {"from": "nginx", "to": "marketplace"})
    result = await catalogue.run(plan, context, closed)
    assert result.created
    assert cluster.objects == {}
    assert cluster.ledger.rows == ()


async def test_undeletable_pods_are_forced_and_reported_when_they_remain() -> None:
    cluster = FakeCluster(story(), story_network, undeletable=True)
    result = await run(cluster)
    assert "delete by force" in cluster.log
    assert {ref.kind for ref in result.left_behind} == {"ConfigMap"}
    assert isinstance(result.left_behind[0], Ref)
    assert any("still there" in p for p in result.problems)


async def test_estimate_and_constants_agree() -> None:
    assert DEADLINE_S > 5 * connectivity.MOST_ROUNDS * connectivity.WARM_UP_S
