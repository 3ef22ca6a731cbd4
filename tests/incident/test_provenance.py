"""Where an entry comes from: the objects, as they were, and the Audit-Ids of the answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from cluster.kube.objects import Node, ObjectMeta, Ref
from cluster.live.live_cluster import LiveCluster
from cluster.live.store import Store
from incident.provenance import NAMED, Provenance, audit_ids, named_in, object_refs, read_refs
from tests.timeline.conftest import START
from timeline.entry import Entry, NewEntry, ObjectRef
from timeline.intents import unknown_changes

REFS = [Ref("Node", "", "a"), Ref("Node", "", "b")]


def provenance(store: Store, **ids: str) -> Provenance:
    live = SimpleNamespace(store=store, audit_id=lambda kind: ids.get(kind, ""))
    return Provenance(cast("LiveCluster", live))


def nodes(**versions: str) -> Store:
    store = Store()
    store.apply(
        "Node",
        [
            Node(metadata=ObjectMeta(name=name, uid=f"uid-{name}", resource_version=version))
            for name, version in versions.items()
        ],
    )
    return store


def test_an_observation_names_each_object_and_the_watch_that_told_of_it() -> None:
    draft = NewEntry(kind="observation", text="x", about=object_refs([*REFS, REFS[0]]))
    full = provenance(nodes(a="1", b="2"), Node="audit-1").complete(draft)
    assert [(o.uid, o.resource_version) for o in full.about] == [("uid-a", "1"), ("uid-b", "2")]
    assert (full.audit_id, full.object) == ("audit-1", None)


def test_an_object_that_is_gone_keeps_what_was_known_of_it() -> None:
    store = nodes(a="1")
    completes = provenance(store)
    completes.complete(NewEntry(kind="observation", about=object_refs(REFS[:1])))
    store.apply("Node", (), [("", "a")])
    gone = completes.complete(NewEntry(kind="observation", about=object_refs(REFS[:1])))
    assert gone.object == ObjectRef(kind="Node", name="a", uid="uid-a", resource_version="1")
    later = provenance(Store())  # after a restart
    entry = Entry(
        seq=1,
        id="1",
        recorded_at=START,
        mono_ns=0,
        occurred_at=START,
        kind="observation",
        data={"about": [{"kind": "Node", "name": "a", "uid": "uid-a", "resource_version": "1"}]},
    )
    later.learn([entry])
    assert later.complete(NewEntry(kind="observation", about=object_refs(REFS))).about[0].uid == (
        "uid-a"
    )


def test_an_entry_with_audit_ids_of_its_own_and_a_persons_note_keep_theirs() -> None:
    completes = provenance(nodes(a="1"), Node="audit-1")
    about = object_refs(REFS[:1])
    own = completes.complete(NewEntry(kind="step-result", about=about, audit_id="mine"))
    assert own.audit_id == "mine"
    kept = completes.complete(NewEntry(kind="note", about=about, time_source="human"))
    assert (kept.audit_id, kept.about[0].uid) == ("", "uid-a")
    changed = completes.complete(NewEntry(kind="action-intent", about=about))
    assert changed.audit_id == ""


def test_an_object_made_again_under_its_name_is_not_taken_for_the_one_that_was() -> None:
    ref = ObjectRef(kind="Node", name="a", uid="uid-of-before")
    full = provenance(nodes(a="1")).complete(NewEntry(kind="object-removed", object=ref))
    assert full.object == ref


def test_what_a_check_read_is_named_as_it_was_then() -> None:
    meta: dict[str, Any] = {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    read: list[dict[str, Any]] = [
        {"kind": "Pod", "metadata": meta},
        {"rule": "node-memory-hot", "object": "Node a", "says": "98%"},
        {"name": "pod_memory_bytes", "labels": {"pod": "p", "namespace": "n"}, "value": 1},
        {"pod": "q", "namespace": "n", "node": "a", "lines": []},
        {"name": "up", "value": 1},
        {"rule": "x", "object": "Cluster "},
    ]
    assert read_refs(read) == (
        ObjectRef(kind="Pod", namespace="n", name="p", uid="u", resource_version="7"),
        ObjectRef(kind="Node", name="a"),
        ObjectRef(kind="Pod", namespace="n", name="p"),
        ObjectRef(kind="Pod", namespace="n", name="q"),
    )
    many = [{"object": f"Node n{number}"} for number in range(50)]
    assert len(read_refs(many)) == NAMED


def test_the_last_audit_ids_of_a_trail_are_kept_and_a_foreign_record_names_nothing() -> None:
    assert audit_ids(["1", "2", "3", "4", "5"]) == "2 3 4 5"
    entry = Entry(
        seq=1,
        id="1",
        recorded_at=START,
        mono_ns=0,
        occurred_at=START,
        kind="note",
        data={"about": "Pod"},
    )
    assert named_in(entry) == []


def test_a_result_ends_an_unknown_change_also_where_the_object_has_another_version_now() -> None:
    def entry(seq: int, kind: str, version: str, intent: str) -> Entry:
        return Entry(
            seq=seq,
            id=str(seq),
            recorded_at=START,
            mono_ns=0,
            occurred_at=START,
            kind=kind,
            object=ObjectRef(kind="Node", name="a", uid="u", resource_version=version),
            data={"action": "cordon", "intent_id": intent},
        )

    lost = entry(1, "action-intent", "1", "one")
    assert unknown_changes([lost], frozenset()) == (lost,)
    again = [entry(2, "action-intent", "1", "two"), entry(3, "action-result", "2", "two")]
    assert unknown_changes([lost, *again], frozenset()) == ()
