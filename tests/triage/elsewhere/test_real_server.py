"""Some of the clusters on a real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.documents import overall
from incident.view import View
from tests.rungs.controlplane import control_plane
from tests.rungs.fixtures import or_missing
from tests.triage.build import Cluster
from tests.triage.elsewhere.busy import agents_are_updated
from tests.triage.elsewhere.cases.control_planes import all_behind_a_key_gone
from tests.triage.elsewhere.cases.credentials import sync_operator_drops_keys
from tests.triage.elsewhere.cases.entrances import dns_daemon_set_out_of_memory
from tests.triage.elsewhere.cases.nodes_in_turn import limitless_job_fells_nodes_in_turn
from tests.triage.elsewhere.cases.silent import balancer_outside
from tests.triage.elsewhere.finish import finish
from tests.triage.elsewhere.healthy import control_plane_restarted_last_week
from tests.triage.elsewhere.objects import Json
from tests.triage.elsewhere.real_server import read, served
from tests.triage.elsewhere.second.objects import BY_SERVER
from tests.triage.elsewhere.second.on_control import metal_keys_after_d_are_gone
from tests.triage.elsewhere.second.well import server_started_minutes_ago
from tests.triage.elsewhere.world import World
from tests.triage.members.routes import gatewayed
from tests.triage.members.table import MEMBERS
from triage.facts.finding import Severity

TOGETHER = {
    "resize pending",
    "taint without its key",
    "scaled to zero",
    "Job: back-off",
    "CronJob suspended",
    "container runtime away",
    "CRD",
}
"""Members of families whose objects have different names."""


def triage(objects: Iterable[Json], folder: Path) -> View:
    """What `stanch triage` concludes of a real API server that holds these objects."""
    with or_missing("control plane", control_plane(objects=objects)) as cluster:
        return read(cluster.kubeconfig, folder)


@pytest.mark.parametrize(
    ("make", "id_"),
    [
        (all_behind_a_key_gone, "etcd-data-deleted"),
        (sync_operator_drops_keys, "secrets-emptied-by-controller"),
        (dns_daemon_set_out_of_memory, "coredns-oom"),
        (limitless_job_fells_nodes_in_turn, "nodes-notready-system-oom"),
    ],
)
def test_a_situation_is_recognised(
    make: Callable[[datetime, bool], tuple[World, Any]], id_: str, tmp_path: Path
) -> None:
    world, _ = make(datetime.now(UTC), True)
    view = triage(finish(world), tmp_path)
    assert overall(view.symptoms)[0]["id"] == id_
    assert view.report is not None
    assert view.report.complete


def test_what_leaves_no_trace_is_not_claimed(tmp_path: Path) -> None:
    world, _ = balancer_outside(datetime.now(UTC), True)
    view = triage(finish(world), tmp_path)
    assert not any(match.confident for symptom in view.symptoms for match in symptom.matches)


@pytest.mark.parametrize("make", [control_plane_restarted_last_week, agents_are_updated])
def test_a_healthy_cluster_is_quiet(make: Callable[[datetime], World], tmp_path: Path) -> None:
    view = triage(finish(make(datetime.now(UTC))), tmp_path)
    assert [s.symptom.title for s in view.symptoms if s.symptom.severity is not Severity.INFO] == []


def test_what_is_left_before_a_key_tells_that_all_behind_it_was_lost(tmp_path: Path) -> None:
    view = triage(metal_keys_after_d_are_gone(datetime.now(UTC), True), tmp_path)
    sure = [row for row in overall(view.symptoms) if row["confident"]]
    assert [row["id"] for row in sure if not row["guide"]] == ["etcd-data-deleted"]


def test_what_a_young_server_makes_by_itself_is_neither_a_loss_nor_a_change(tmp_path: Path) -> None:
    """Old nodes and applications behind a server that was started just now and made its namespaces,
    roles and Service itself."""
    objects = [
        o
        for o in server_started_minutes_ago(datetime.now(UTC), True)
        if (o["kind"], o["metadata"]["name"]) not in BY_SERVER
    ]
    view = triage(
        [
            o
            for o in objects
            if o["kind"] != "ClusterRole" and o["metadata"].get("namespace") != "kube-system"
        ],
        tmp_path,
    )
    assert [s.symptom.title for s in view.symptoms if s.symptom.severity is not Severity.INFO] == []
    assert not any(match.confident for symptom in view.symptoms for match in symptom.matches)
    assert view.report is not None
    assert {change.object.kind for change in view.report.changes} <= {"Deployment"}


def test_everyday_faults_are_told_from_what_a_server_keeps_of_them(tmp_path: Path) -> None:
    """Members of several families, side by side in one cluster."""
    cluster = Cluster(3)
    wanted = [one for one in MEMBERS if one.name in TOGETHER]
    assert len(wanted) == len(TOGETHER)
    for one in wanted:
        one.build(cluster)
    view = triage(served(cluster, datetime.now(UTC)), tmp_path)
    titles = [found.symptom.title for found in view.symptoms]
    for one in wanted:
        assert any(all(word in title for word in one.says) for title in titles), (one.name, titles)


@pytest.mark.parametrize("protocol", ["HTTP", "TLS"])
def test_gateways_and_routes_are_read_from_the_definitions_of_a_server(
    protocol: str, tmp_path: Path
) -> None:
    cluster = Cluster(3)
    away = {"type": "Programmed", "status": "False", "reason": "AddressNotAssigned"}
    rules = [{"backendRefs": [{"name": "api", "port": 81}]}]
    gatewayed(cluster, conditions=(away,), route={"rules": rules}, protocol=protocol)
    view = triage(served(cluster, datetime.now(UTC)), tmp_path)
    titles = " ".join(found.symptom.title for found in view.symptoms)
    for words in ("is not programmed", f"{protocol}Route front leads to port 81"):
        assert words in titles
