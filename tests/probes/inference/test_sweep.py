"""What is ours is found again after a crash; what is not ours is left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cluster.kube.objects import Ref
from probes.ledger import Intent, MemoryLedger
from probes.pods.probe_pod import Identity, new_name, owner_manifest
from probes.pods.sweep import SweepScope, sweep
from tests.probes.cells import store
from tests.probes.fake import FakeCluster

FOREIGN = "foreign-session"


def cluster_with(*objects: dict[str, Any]) -> FakeCluster:
    found = FakeCluster(store(), lambda *_: "ok")
    for each in objects:
        plural = "pods" if each["kind"] == "Pod" else "configmaps"
        each["metadata"].setdefault("uid", f"uid-{each['metadata']['name']}")
        found.objects[
            f"/api/v1/namespaces/{each['metadata']['namespace']}/{plural}/{each['metadata']['name']}"
        ] = each
    return found


def owned(cluster_now: Any, session: str, *, minutes: float, name: str = "") -> dict[str, Any]:
    identity = Identity(session, "me@here", "", cluster_now + timedelta(minutes=minutes))
    return owner_manifest(name or new_name(session), "nginx", identity)


NOW = FakeCluster(store(), lambda *_: "ok").now


async def test_after_a_crash_the_rows_of_the_record_lead_to_what_is_left() -> None:
    left = owned(NOW, "crashed-session", minutes=9)
    ref = Ref("ConfigMap", "nginx", left["metadata"]["name"])
    ledger = MemoryLedger()
    await ledger.intend(Intent("crashed-session", ref, "owner", NOW + timedelta(minutes=9)))
    cluster = cluster_with(left)
    report = await sweep(cluster.context(ledger))
    assert report.removed == (ref,)
    assert report.clean
    assert cluster.objects == {}
    assert ledger.rows == ()


async def test_what_another_living_session_made_is_only_reported() -> None:
    cluster = cluster_with(owned(NOW, FOREIGN, minutes=5))
    report = await sweep(cluster.context())
    assert report.removed == ()
    assert [o.session for o in report.others] == [FOREIGN]
    assert "left alone" in report.sentence
    assert len(cluster.objects) == 1


async def test_a_pod_past_its_deadline_is_removed_also_when_another_process_created_it() -> None:
    cluster = cluster_with(owned(NOW, FOREIGN, minutes=-1))
    assert len((await sweep(cluster.context())).removed) == 1
    assert cluster.objects == {}


async def test_an_unreadable_deadline_counts_as_over() -> None:
    broken = owned(NOW, FOREIGN, minutes=5)
    broken["metadata"]["annotations"]["stanch/expires-at"] = "soon"
    assert len((await sweep(cluster_with(broken).context())).removed) == 1


async def test_objects_without_the_label_are_never_touched() -> None:
    innocent = owned(NOW, "crashed-session", minutes=-9, name="stanch-probe-lookalike")
    innocent["metadata"]["labels"] = {}
    cluster = cluster_with(innocent)
    ledger = MemoryLedger()
    await ledger.intend(
        Intent("crashed-session", Ref("ConfigMap", "nginx", "stanch-probe-lookalike"), "owner", NOW)
    )
    for scope in SweepScope:
        await sweep(cluster.context(ledger), scope)
    assert len(cluster.objects) == 1


async def test_a_row_whose_object_never_came_to_be_is_closed() -> None:
    ledger = MemoryLedger()
    await ledger.intend(
        Intent("crashed-session", Ref("Pod", "nginx", "stanch-probe-x"), "probe", NOW)
    )
    report = await sweep(cluster_with().context(ledger))
    assert report.clean
    assert ledger.rows == ()


async def test_rows_stay_open_when_it_cannot_be_looked() -> None:
    ledger = MemoryLedger()
    await ledger.intend(
        Intent("crashed-session", Ref("Pod", "nginx", "stanch-probe-x"), "probe", NOW)
    )
    cluster = cluster_with()
    cluster.denied = frozenset({"list"})
    report = await sweep(cluster.context(ledger))
    assert not report.clean
    assert len(ledger.rows) == 1


async def test_at_exit_only_the_own_session_is_swept_and_no_request_is_made_without_rows() -> None:
    cluster = cluster_with(owned(NOW, FOREIGN, minutes=-5))
    report = await sweep(cluster.context(), SweepScope.SESSION)
    assert report.removed == ()
    assert cluster.log == []


async def test_on_demand_everything_goes() -> None:
    cluster = cluster_with(owned(NOW, FOREIGN, minutes=5))
    assert len((await sweep(cluster.context(), SweepScope.ALL)).removed) == 1


async def test_the_sweep_at_the_start_leaves_alone_what_a_probe_has_just_begun() -> None:
    cluster = cluster_with()
    context = cluster.context()
    begun = owned(NOW, context.session, minutes=9)
    cluster.objects |= cluster_with(begun).objects
    here, planned = (
        Ref("ConfigMap", "nginx", begun["metadata"]["name"]),
        Ref("Pod", "nginx", "stanch-probe-not-yet"),
    )
    for ref in (here, planned):
        await context.ledger.intend(
            Intent(context.session, ref, "probe", NOW + timedelta(minutes=9))
        )
    report = await sweep(context, SweepScope.RECORD)
    assert (report.removed, report.others) == ((), ())
    assert len(cluster.objects) == 1
    assert len(cluster.ledger.rows) == 2, "an object that is about to be created is not missing"
    assert (await sweep(context, SweepScope.SESSION)).removed == (here,)
    assert cluster.ledger.rows == ()


async def test_an_ephemeral_container_of_a_crash_is_not_said_to_be_gone() -> None:
    """The pod of another owner keeps the container; the row ends with the truth, and nothing is
    deleted."""
    ref = Ref("EphemeralContainer", "nginx", "nginx-1/stanch-probe-x")
    ledger = MemoryLedger()
    await ledger.intend(Intent("crashed-session", ref, "probe", NOW + timedelta(minutes=9)))
    cluster = cluster_with()
    report = await sweep(cluster.context(ledger))
    assert report.clean
    assert ledger.rows == ()
    assert "cannot be removed" in ledger.lines[-1]
    assert cluster.log == []


async def test_what_a_server_lists_beside_the_selector_is_not_ours() -> None:
    foreign = owned(NOW, FOREIGN, minutes=-1, name="web-1")
    foreign["metadata"]["labels"] = {"app": "web"}
    cluster = cluster_with(foreign)
    report = await sweep(cluster.context(), SweepScope.ALL)
    assert (report.removed, report.left, len(cluster.objects)) == ((), {}, 1)
