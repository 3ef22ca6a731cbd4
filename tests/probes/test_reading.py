"""Probes that only read: what each sees, what it says when it may not look, and that it never
confuses the two."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cluster.errors import Forbidden, ServerError
from probes import catalogue
from probes.result import Component, ProbeResult
from tests.probes.cells import meta, namespace, node, pod, service, store, story
from tests.probes.fake import FakeCluster


async def run(cluster: FakeCluster, name: str, **arguments: str) -> ProbeResult:
    context = cluster.context(
        **{"unavailable": cluster.unavailable} if hasattr(cluster, "unavailable") else {}
    )
    plan = await catalogue.plan(name, context, arguments)
    assert plan.refused == "", plan.refused
    assert not plan.needs_agreement
    result = await catalogue.run(plan, context)
    assert not any(line.startswith(("create", "delete")) for line in cluster.log)
    return result


def cluster(*documents: dict[str, Any], **settings: Any) -> FakeCluster:
    return FakeCluster(store(*documents), lambda *_: "ok", **settings)


def components(result: ProbeResult) -> list[Component]:
    return [c.component for c in result.conclusions]


# ---- image drift, network agents


async def test_image_drift_names_the_odd_node() -> None:
    result = await run(FakeCluster(story(), lambda *_: "ok"), "image-drift")
    assert components(result) == [Component("agent", "kube-router on node-3")]
    assert [r.normal for r in result.rows] == [False]
    clean = await run(FakeCluster(story(drifted=False), lambda *_: "ok"), "image-drift")
    assert clean.conclusions == ()
    assert [r.normal for r in clean.rows] == [True]


async def test_digests_of_different_kinds_are_not_compared() -> None:
    documents = [
        node("node-1"),
        node("node-2"),
        {"kind": "DaemonSet", "metadata": meta("a", "kube-system"), "spec": {}},
    ]
    for number, image_id in ((1, "docker.io/a@sha256:" + "a" * 64), (2, "sha256:" + "b" * 64)):
        documents.append(
            pod(
                f"a-{number}",
                "kube-system",
                f"node-{number}",
                image="a:1",
                image_id=image_id,
                owner=("DaemonSet", "a"),
            )
        )
    assert (await run(cluster(*documents), "image-drift")).conclusions == ()


async def test_cni_health_names_agents_that_are_not_ready() -> None:
    fake = FakeCluster(story(drifted=False), lambda *_: "ok")
    broken = pod(
        "kube-router-2",
        "kube-system",
        "node-2",
        host_network=True,
        owner=("DaemonSet", "kube-router"),
        port=0,
    )
    broken["metadata"]["resourceVersion"] = "2"
    broken["status"]["containerStatuses"] = [
        {"name": "main", "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    ]
    fake.store.apply("Pod", list(store(broken).rows("Pod").values()))
    result = await run(fake, "cni-health")
    assert components(result) == [Component("agent", "kube-router on node-2")]
    assert "CrashLoopBackOff" in result.conclusions[0].claim


# ---- kubelet, unaccounted, throttling


def stats(kubelet: int, cores: float = 1.0, pods: float = 0.8) -> dict[str, Any]:
    return {
        "node": {
            "cpu": {"usageNanoCores": int(cores * 1e9)},
            "memory": {"workingSetBytes": 8 << 30},
            "systemContainers": [
                {
                    "name": "kubelet",
                    "cpu": {"usageNanoCores": int(1e8)},
                    "memory": {"rssBytes": kubelet},
                }
            ],
        },
        "pods": [
            {"cpu": {"usageNanoCores": int(pods * 1e9)}, "memory": {"workingSetBytes": 7 << 30}}
        ],
    }


def kubelets(**memory: Any) -> FakeCluster:
    names = [name.replace("_", "-") for name in memory]
    fake = cluster(*(node(name) for name in names))
    for name, value in zip(names, memory.values(), strict=True):
        base = f"/api/v1/nodes/{name}/proxy"
        fake.texts[f"{base}/healthz"] = "ok"
        fake.objects[f"{base}/stats/summary"] = stats(value) if isinstance(value, int) else value
    return fake


async def test_a_kubelet_that_grew_beyond_its_peers() -> None:
    result = await run(
        kubelets(node_1=90 << 20, node_2=100 << 20, node_3=3 << 30, node_4=95 << 20), "kubelet"
    )
    assert components(result) == [Component("kubelet", "node-3")]
    assert "3.0 GiB" in result.conclusions[0].claim
    assert [r.normal for r in result.rows] == [True, True, False, True]


async def test_stats_that_fail_are_a_gap_and_not_a_fault() -> None:
    fake = kubelets(
        node_1=90 << 20, node_2=ServerError("HTTP 500: cannot find filesystem info", status=500)
    )
    result = await run(fake, "kubelet")
    assert result.conclusions == ()
    assert not result.complete
    assert any("filesystem info" in p for p in result.problems)


async def test_forbidden_is_not_ill_and_unreachable_is() -> None:
    fake = kubelets(node_1=1, node_2=1)
    fake.texts["/api/v1/nodes/node-1/proxy/healthz"] = Forbidden(
        "nodes/proxy: HTTP 403", status=403
    )
    fake.texts["/api/v1/nodes/node-2/proxy/healthz"] = ServerError(
        "HTTP 502: dial tcp 10.0.0.2:10250: connect refused", status=502
    )
    result = await run(fake, "kubelet")
    assert components(result) == [Component("kubelet", "node-2")]
    assert any("node-1 not asked" in p for p in result.problems)


async def test_unaccounted_cpu_points_at_the_host() -> None:
    fake = kubelets(node_1=1, node_2=1)
    fake.objects["/api/v1/nodes/node-2/proxy/stats/summary"] = stats(1, cores=7.5)
    result = await run(fake, "unaccounted")
    assert components(result) == [Component("node", "node-2")]
    fake.objects["/api/v1/nodes/node-2/proxy/stats/summary"] = ServerError("HTTP 500", status=500)
    result = await run(fake, "unaccounted")
    assert result.conclusions == ()
    assert [r.normal for r in result.rows] == [True, None]


def cadvisor(periods: int, throttled: int, usage: float) -> str:
    label = '{container="app",namespace="shop",pod="web-1",image="x"}'
    return (
        f"# HELP x y\ncontainer_cpu_cfs_periods_total{label} "
        f"{periods}\ncontainer_cpu_cfs_throttled_periods_total{label} {throttled}\n"
        f"container_cpu_usage_seconds_total{label} {usage} 1795254131000\nbroken{{ line\n"
    )


async def test_throttling_is_the_difference_of_two_readings() -> None:
    fake = cluster(node("node-1"), pod("web-1", "shop", "node-1"))
    fake.texts["/api/v1/nodes/node-1/proxy/metrics/cadvisor"] = [
        cadvisor(1000, 900, 10),
        cadvisor(1150, 975, 13),
    ]
    result = await run(fake, "cpu-throttling", namespace="shop")
    assert components(result) == [Component("pod", "shop/web-1")]
    assert "50%" in result.conclusions[0].claim
    assert "0.20 cores" in result.conclusions[0].claim


# ---- logs


async def test_the_silent_pod_among_its_peers() -> None:
    fake = cluster(
        *(node(f"node-{n}") for n in range(1, 5)),
        *(
            pod(f"shipper-{n}", "logging", f"node-{n}", owner=("DaemonSet", "shipper"))
            for n in range(1, 5)
        ),
    )
    for n in range(1, 5):
        when = fake.now - timedelta(seconds=7200 if n == 3 else 5 * n)
        fake.texts[f"/api/v1/namespaces/logging/pods/shipper-{n}/log"] = (
            f"{when:%Y-%m-%dT%H:%M:%S}.123456789Z flushed password=x"
        )
    result = await run(fake, "log-silence", namespace="logging")
    assert components(result) == [Component("pod", "logging/shipper-3")]
    assert "password" not in str(result.document)


async def test_log_silence_needs_peers() -> None:
    fake = cluster(
        node("node-1"), pod("alone", "logging", "node-1", owner=("DaemonSet", "shipper"))
    )
    plan = await catalogue.plan("log-silence", fake.context(), {"namespace": "logging"})
    assert "two or more" in plan.refused


# ---- Secrets, exposure, volumes, addresses


def secret(name: str, *keys: str, manager: str = "sync") -> dict[str, Any]:
    fields: dict[str, Any] = (
        {"f:data": {f"f:{key}": {} for key in keys}} if keys else {"f:type": {}}
    )
    return {
        "kind": "Secret",
        "metadata": meta(
            name,
            "shop",
            managedFields=[
                {"manager": manager, "time": "2026-11-21T02:58:00Z", "fieldsV1": fields}
            ],
        ),
    }


async def test_missing_keys_name_the_writer() -> None:
    user = pod("web-1", "shop", "node-1")
    user["spec"]["containers"][0]["env"] = [
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {
            "name": "O",
            "valueFrom": {"secretKeyRef": {"name": "other", "key": "x", "optional": True}},
        },
    ]
    user["spec"]["volumes"] = [
        {"name": "t", "secret": {"secretName": "tls"}},
        {"name": "g", "secret": {"secretName": "gone"}},
    ]
    result = await run(
        cluster(user, secret("db", "user"), secret("tls", manager="vault-sync")), "secret-keys"
    )
    told = {c.component.name: c.claim for c in result.conclusions}
    assert set(told) == {"shop/db", "shop/tls", "shop/gone"}
    assert "lacks password" in told["shop/db"]
    assert "vault-sync at 2026-11-21 02:58 UTC" in told["shop/tls"]


async def test_an_open_dashboard_is_named_and_a_web_server_is_not() -> None:
    result = await run(
        cluster(
            service("kubernetes-dashboard", "kube-system", selector={}, type="LoadBalancer"),
            service(
                "grafana",
                "mon",
                selector={},
                type="LoadBalancer",
                loadBalancerSourceRanges=["10.0.0.0/8"],
            ),
            service("web", "shop", selector={}, type="LoadBalancer"),
            service("argocd-server", "cd", selector={}),
        ),
        "exposure",
    )
    assert components(result) == [Component("service", "kube-system/kubernetes-dashboard")]
    assert len(result.rows) == 3


async def test_a_volume_that_is_held_by_a_node_that_is_gone() -> None:
    waiting = pod("db-0", "shop", "node-2", phase="Pending")
    waiting["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    result = await run(
        cluster(
            node("node-2"),
            waiting,
            {
                "kind": "PersistentVolumeClaim",
                "metadata": meta("data", "shop"),
                "spec": {"volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]},
                "status": {"phase": "Bound"},
            },
            {
                "kind": "PersistentVolume",
                "metadata": meta("pv-1"),
                "spec": {"csi": {"driver": "x"}},
            },
            {
                "kind": "VolumeAttachment",
                "metadata": meta("a"),
                "spec": {
                    "attacher": "x",
                    "nodeName": "node-1",
                    "source": {"persistentVolumeName": "pv-1"},
                },
                "status": {"attached": True},
            },
        ),
        "volume-attach",
    )
    assert components(result)[0] == Component("node", "node-1")
    assert "not there any more" in result.conclusions[0].claim


async def test_a_node_without_addresses() -> None:
    small = node("node-1")
    small["spec"]["podCIDR"] = "10.244.1.0/28"
    result = await run(
        cluster(small, node("node-2"), *(pod(f"p-{n}", "shop", "node-1") for n in range(13))),
        "address-space",
    )
    assert components(result) == [Component("node", "node-1")]
    assert [r.normal for r in result.rows] == [False, True]


# ---- API server


async def test_api_health_names_etcd_and_how_often() -> None:
    fake = cluster(namespace("default"))
    bad = ServerError(
        "readyz", status=500, detail="[+]ping ok [-]etcd failed: reason withheld [+]log ok"
    )
    fake.texts |= {
        "/readyz": ["ok", bad, *["ok"] * 8],
        "/api/v1/namespaces/default": "{}",
        "/api/v1/pods": "{}",
    }
    result = await run(fake, "api-health")
    assert components(result) == [Component("etcd", "")]
    assert "1 of 10 times" in result.conclusions[0].claim


# ---- all of them


@pytest.mark.parametrize("name", [n for n in catalogue.names() if not catalogue.PROBES[n].creates])
async def test_every_reading_probe_survives_an_empty_cluster(name: str) -> None:
    fake = cluster()
    plan = await catalogue.plan(name, fake.context(), {})
    assert "\n" not in plan.refused
    result = await catalogue.run(plan, fake.context())
    assert result.created == ()
    assert result.document["schema"] == "stanch.probe/1"


async def test_kinds_that_could_not_be_read_make_the_answer_incomplete() -> None:
    fake = cluster(pod("web", "shop", "node-1"))
    context = fake.context(unavailable={"Secret": "forbidden"})
    result = await catalogue.run(await catalogue.plan("secret-keys", context, {}), context)
    assert not result.complete
    assert any("Secret could not be read: forbidden" in p for p in result.problems)


@pytest.mark.parametrize("name", [n for n in catalogue.names() if not catalogue.PROBES[n].creates])
async def test_a_place_that_is_not_there_is_said_in_one_sentence(name: str) -> None:
    fake = FakeCluster(story(), lambda *_: "ok")
    for parameter, kind in (("node", "Node"), ("namespace", "Namespace")):
        if parameter in catalogue.PROBES[name].parameters:
            told = (await catalogue.plan(name, fake.context(), {parameter: "nosuch"})).refused
            assert told.startswith(f"There is no {parameter} nosuch; look at `kubectl get ")
            unknown = await catalogue.plan(
                name, fake.context(unavailable={kind: "forbidden"}), {parameter: "nosuch"}
            )
            assert "There is no" not in unknown.refused, "what may not be listed may be there"


async def test_an_ipv6_range_does_not_run_out_and_of_two_the_smaller_counts() -> None:
    six, both = node("node-1"), node("node-2")
    six["spec"] |= {"podCIDR": "fd00:244:1::/64", "podCIDRs": ["fd00:244:1::/64"]}
    both["spec"] |= {"podCIDR": "fd00:244:2::/64", "podCIDRs": ["fd00:244:2::/64", "10.244.2.0/28"]}
    result = await run(
        cluster(six, both, *(pod(f"p-{n}", "shop", "node-2") for n in range(13))), "address-space"
    )
    assert components(result) == [Component("node", "node-2")]
    assert "does not run out" in result.rows[0].seen
    assert "13 of 13 addresses" in result.rows[1].seen
