"""Some of the clusters on a real API server (rung 1): written into etcd with their past, read by
the product as it reads any cluster."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.connection import read_once
from cli.documents import overall
from cluster.kube.kinds import BY_NAME
from incident.options import Options
from incident.session import LiveInvestigation
from incident.view import View
from tests.rungs.controlplane import control_plane
from tests.rungs.fixtures import or_missing
from tests.triage.build import NOW, Cluster
from tests.triage.elsewhere.busy import agents_are_updated
from tests.triage.elsewhere.cases.control_planes import all_behind_a_key_gone
from tests.triage.elsewhere.cases.credentials import sync_operator_drops_keys
from tests.triage.elsewhere.cases.entrances import dns_daemon_set_out_of_memory
from tests.triage.elsewhere.cases.nodes_in_turn import limitless_job_fells_nodes_in_turn
from tests.triage.elsewhere.cases.silent import balancer_outside
from tests.triage.elsewhere.finish import finish
from tests.triage.elsewhere.healthy import control_plane_restarted_last_week
from tests.triage.elsewhere.objects import Json
from tests.triage.elsewhere.second.objects import BY_SERVER
from tests.triage.elsewhere.second.on_control import metal_keys_after_d_are_gone
from tests.triage.elsewhere.second.well import server_started_minutes_ago
from tests.triage.elsewhere.world import World
from tests.triage.members import MEMBERS
from triage.facts.finding import Severity

PATIENCE = 60.0
"""Seconds for one reading of the whole cluster; measured 1 to 3."""
TOGETHER = {
    "resize pending",
    "taint without its key",
    "scaled to zero",
    "Job: back-off",
    "CronJob suspended",
    "container runtime away",
}
"""Members of families whose objects have different names."""


def triage(objects: Iterable[dict[str, Any]], folder: Path) -> View:
    """What `stanch triage` concludes of a real API server that holds these objects."""

    async def once(kubeconfig: Path) -> View:
        options = Options(
            kubeconfig=str(kubeconfig),
            state=folder / "state",
            config=folder / "config",
            write=False,
            record=False,
        )
        investigation = LiveInvestigation(options)
        await investigation.start()
        try:
            return await read_once(investigation, PATIENCE)
        finally:
            await investigation.stop()

    with or_missing("control plane", control_plane(objects=objects)) as cluster:
        return asyncio.run(once(cluster.kubeconfig))


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


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def served(cluster: Cluster, now: datetime) -> Iterator[Json]:
    """The objects of a small cluster as a server keeps them, with their times dated from now."""

    def dated(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0]) - NOW + now
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if "." in found[0] else "%Y-%m-%dT%H:%M:%SZ")

    for kind, raw in cluster.raw:
        plain = {name: value for name, value in raw.items() if name not in ("pods", "set")}
        item = json.loads(_TIME.sub(dated, json.dumps(plain)))
        for write in item["metadata"].get("managedFields", ()):
            write["fieldsType"] = "FieldsV1"
        yield {**item, "kind": kind, "apiVersion": BY_NAME[kind].api_version}


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
