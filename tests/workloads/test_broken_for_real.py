"""Rung 2: real controllers, a real scheduler, nodes by kwok. Six things are broken for real while
an investigation goes on, and each is named by its rule and its object. They are all broken at once:
each has to be told apart from the others too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from cli.connection import is_settled
from tests.rungs.build import programs
from tests.rungs.controlplane import control_plane
from tests.rungs.fixtures import or_missing
from tests.rungs.programs.kwok import start_kwok
from tests.rungs.programs.processes import Process, wait_until
from tests.workloads import faults
from tests.workloads.past import LEAVING, LOST, NODES, past
from tests.workloads.watch import Watch, findings, watching
from triage.facts.finding import Finding

pytestmark = pytest.mark.control_plane

CALM = 12.0
"""Seconds for which a healthy cluster is watched."""
GRACE = 50.0
"""Seconds of silence after which the node controller gives a node up (kube-controller-manager,
--node-monitor-grace-period since 1.32)."""


@dataclass(frozen=True)
class Lab:
    """A running investigation of a cluster. `before`: warnings that it gave while nothing was
    broken."""

    http: httpx.Client
    watch: Watch
    before: frozenset[str]

    def named(
        self, rule: str, kind: str, name: str, namespace: str = "", limit: float = 30.0
    ) -> Finding:
        """The finding of `rule` about that object; `name` is the beginning of its name."""

        def fits(finding: Finding) -> bool:
            about = finding.object
            return (finding.rule, about.kind, about.namespace) == (
                rule,
                kind,
                namespace,
            ) and about.name.startswith(name)

        view = self.watch.until(
            lambda view: any(map(fits, findings(view))),
            f"{rule} of {kind} {namespace}/{name}",
            limit,
        )
        return next(filter(fits, findings(view)))


UNREACHABLE = "api-server-unreachable:"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("workloads")
    with ExitStack() as stack:
        cluster = stack.enter_context(
            or_missing(
                "control plane with workloads", control_plane(objects=past(), workloads=True)
            )
        )
        kwok = start_kwok(
            stack, programs("kwok")["kwok"], cluster.directory, cluster.kubeconfig, value=LEAVING
        )
        http = stack.enter_context(cluster.client())
        wait_until(lambda: _in_order(http), "a healthy cluster", limit=60)
        watch = stack.enter_context(watching(cluster.kubeconfig, folder))
        watch.until(is_settled, "a whole reading", 30)
        time.sleep(CALM)  # nothing to wait for: nothing is to happen
        # A busy machine keeps the API server from answering: that warning is true.
        before = frozenset(each for each in watch.warned if not each.startswith(UNREACHABLE))
        _break(http, kwok)
        yield Lab(http, watch, before)


def _in_order(http: httpx.Client) -> bool:
    """Every node has a Lease, and the DNS Service its endpoints: controllers and both kwoks have
    been through everything."""
    leases = faults.items(http, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
    slices = faults.items(http, "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices")
    return len(leases) == NODES and sum(len(one["endpoints"] or ()) for one in slices) == 2


def _break(http: httpx.Client, kwok: Process) -> None:
    kwok.kill()
    faults.fill_quota(http)
    faults.cordon_where_pods_must_go(http, "worker-003")
    faults.mount_missing_secret(http)
    faults.flood(http, jobs=6)
    faults.lose_dns_endpoints(http)
    wait_until(lambda: faults.refuse_to_mount(http), "a pod that waits for its Secret", limit=20)


def test_a_healthy_cluster_gives_no_warning(lab: Lab) -> None:
    assert lab.before == frozenset()


def test_a_quota_that_refuses_pods_is_named(lab: Lab) -> None:
    found = lab.named("quota-exceeded", "ResourceQuota", "pods", "narrow")
    assert (found.facts["resource"], found.facts["used"], found.facts["hard"]) == ("pods", "2", "2")


def test_a_flood_is_named_by_its_cronjob(lab: Lab) -> None:
    found = lab.named("cronjob-flood", "CronJob", "rates", "analytics")
    assert "Allow" in found.claim


def test_a_missing_secret_is_named(lab: Lab) -> None:
    found = lab.named("pod-config-missing", "Pod", "signer", "vault", limit=120)
    assert (found.facts["kind"], found.facts["name"]) == ("Secret", "ledger-credentials")


def test_a_cordoned_node_and_the_pods_that_wait_for_it_are_named(lab: Lab) -> None:
    lab.named("node-cordoned", "Node", "worker-003")
    found = lab.named("pod-unschedulable", "Pod", "ledger", "pinned", limit=90)
    assert "cordon" in found.claim


def test_dns_without_an_endpoint_is_named(lab: Lab) -> None:
    found = lab.named("dns-degraded", "Deployment", "coredns", "kube-system", limit=120)
    assert "0 of 2 ready" in found.claim
    lab.named("service-no-endpoints", "Service", "kube-dns", "kube-system", limit=120)


def test_a_node_whose_heartbeat_stops_is_named(lab: Lab) -> None:
    found = lab.named("node-not-ready", "Node", LOST, limit=GRACE + 40)
    assert found.facts["status"] == "Unknown"
    others = [
        one
        for one in findings(lab.watch.until(lambda _: True, "a view", 1))
        if one.rule == "node-not-ready"
    ]
    assert [one.object.name for one in others] == [LOST]
