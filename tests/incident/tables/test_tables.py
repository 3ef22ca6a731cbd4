"""The object tables: typed order, filters, and the same rows whichever way changes arrive."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kube import objects as k
from cluster.kube.kinds import KINDS
from cluster.live.store import Store
from incident.tables import pod_status
from incident.tables.columns import Column, columns
from incident.tables.filters import FilterError, compile_filter
from incident.tables.sorted_list import Ordered
from incident.tables.table import STEP, ObjectTable, merged
from triage.facts.cooperative import run

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)


def pod(
    name: str,
    restarts: int = 0,
    node: str = "node-1",
    ready: bool = True,
    minutes: float = 60,
    namespace: str = "shop",
) -> k.Pod:
    return k.Pod(
        metadata=k.LeanMeta(
            name=name,
            namespace=namespace,
            uid=f"uid-{name}",
            labels={"app": name},
            creation_timestamp=NOW - timedelta(minutes=minutes),
        ),
        spec=k.PodSpec(node_name=node, containers=(k.Container(name="app", image="shop:1"),)),
        status=k.PodStatus(
            phase="Running",
            container_statuses=(
                k.ContainerStatus(name="app", ready=ready, restart_count=restarts),
            ),
        ),
    )


def table_of(*pods: k.Pod) -> ObjectTable:
    store = Store()
    store.replace("Pod", pods)
    return ObjectTable(store, "Pod", NOW)


def names(table: ObjectTable) -> list[str]:
    return [table.key_at(row)[1] for row in range(len(table))]


def column(table: ObjectTable, name: str) -> Column:
    return next(c for c in table.columns if c.name == name)


def test_numbers_sort_as_numbers_and_ages_as_ages() -> None:
    table = table_of(pod("a", 9, minutes=1), pod("b", 10, minutes=70), pod("c", 100, minutes=3000))
    table.sort(column(table, "restarts"), NOW)
    assert names(table) == ["c", "b", "a"]
    table.sort(column(table, "age"), NOW)
    assert names(table) == ["a", "b", "c"]
    table.sort(column(table, "age"), NOW, reverse=True)
    assert names(table) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("restarts>3", ["b", "c"]),
        ("restarts>=9 node=node-2", ["c"]),
        ("!ready", ["c"]),
        ("ready", ["a", "b"]),
        ("age<1h", ["a"]),
        ("age>1h30m", ["c"]),
        ("node=node-*", ["a", "b", "c"]),
        ("node!=node-2", ["a", "b"]),
        ("name~B", ["b"]),
        ("shop", ["a", "b", "c"]),
        ("!node-2", ["a", "b"]),
        ('image="shop:1" restarts<9', ["a"]),
        ("ready=0/1", ["c"]),
        ("res>3", ["b", "c"]),
        ("!node=node-2", ["a", "b"]),
        ("!node=node-*", []),
        ("!restarts>3", ["a"]),
        ("!age<1h", ["b", "c"]),
        ("!name~B", ["a", "c"]),
        ("node=node-2,node-3", ["c"]),
        ("namespace=billing,shop !ready", ["c"]),
        ("node==node-2", ["c"]),
        ("label:app=b", ["b"]),
        ("label:app!=b", ["a", "c"]),
        ("label:app=a,c", ["a", "c"]),
        ("!label:app=b", ["a", "c"]),
        ("label:app", ["a", "b", "c"]),
        ("!label:app", []),
        ("-l app=b", ["b"]),
        ("-l app!=b restarts>3", ["c"]),
        ('-l "app in (a,b),app!=b"', ["a"]),
        ("!-l app=b", ["a", "c"]),
        ("-l app,!old", ["a", "b", "c"]),
        ("-n shop,billing", ["a", "b", "c"]),
        ("!-n shop", []),
        ("ns=shop -l app=c", ["c"]),
    ],
)
def test_filters(text: str, expected: list[str]) -> None:
    table = table_of(
        pod("a", 0, minutes=5),
        pod("b", 9, minutes=61),
        pod("c", 10, node="node-2", ready=False, minutes=600),
    )
    table.set_filter(text, NOW)
    assert sorted(names(table)) == expected


def job_pod(name: str, phase: str, job: str) -> k.Pod:
    owner = k.OwnerReference(kind="Job", name=job, uid=f"uid-{job}", controller=True)
    return k.Pod(
        metadata=k.LeanMeta(name=name, namespace="shop", owner_references=(owner,)),
        status=k.PodStatus(phase=phase),
    )


def test_what_is_finished_is_neither_ready_nor_broken() -> None:
    store = Store()
    done = k.JobStatus(conditions=(k.Condition(type="Complete", status="True"),))
    store.replace("Job", [k.Job(metadata=k.ObjectMeta(name="j", namespace="shop"), status=done)])
    pods = [
        pod("a"),
        pod("b", ready=False),
        job_pod("done", "Succeeded", "j"),
        job_pod("tried", "Failed", "j"),
        job_pod("failed", "Failed", "other"),
    ]
    store.replace("Pod", pods)
    table = ObjectTable(store, "Pod", NOW)
    assert names(table) == ["b", "failed", "a", "done", "tried"]
    assert table.broken == 2
    table.want_reverse()
    table.rebuild(NOW)
    assert names(table) == ["failed", "b", "a", "tried", "done"]
    assert table.broken == 2
    table.set_filter("!ready", NOW)
    assert sorted(names(table)) == ["b", "failed"]
    table.set_filter("ready", NOW)
    assert names(table) == ["a"]


def test_a_kind_without_a_word_for_it_shows_nothing_as_not_ready() -> None:
    store = Store()
    store.replace("ConfigMap", [k.PartialObject(metadata=k.ObjectMeta(name="a", namespace="b"))])
    table = ObjectTable(store, "ConfigMap", NOW)
    table.set_filter("!ready", NOW)
    assert names(table) == []


def test_filtering_in_steps_keeps_the_old_rows_until_its_end_and_misses_no_change() -> None:
    table = table_of(*(pod(f"p{n:04}", restarts=n % 9) for n in range(1000)))
    table.want_filter("restarts>4")
    steps = table.rebuilding(NOW)
    next(steps)
    assert len(table) == 1000
    table.apply(table.store.apply("Pod", [pod("p0001", restarts=8)]), NOW)
    run(steps)
    fresh = ObjectTable(table.store, "Pod", NOW)
    fresh.set_filter("restarts>4", NOW)
    assert names(table) == names(fresh)
    assert "p0001" in names(table)


def test_a_mark_outlives_filter_and_order_and_goes_with_its_object() -> None:
    table = table_of(pod("a", 1), pod("b", 5), pod("c", 9))
    table.toggle_mark(("shop", "a"), NOW)
    table.set_filter("restarts>4", NOW)
    assert names(table) == ["a", "b", "c"]
    assert (len(table), table.beside_filter(NOW)) == (3, 1)
    table.sort(column(table, "restarts"), NOW)
    assert names(table) == ["c", "b", "a"]
    table.apply(table.store.apply("Pod", deletes=[("shop", "a")]), NOW)
    assert (names(table), table.marked) == (["c", "b"], set())
    table.toggle_mark(("shop", "b"), NOW)
    table.set_filter("restarts>8", NOW)
    assert names(table) == ["c", "b"]
    table.clear_marks(NOW)
    assert names(table) == ["c"]


def test_a_mark_that_is_set_while_rows_are_made_is_in_the_new_rows() -> None:
    table = table_of(*(pod(f"p{at:05}", at % 10) for at in range(3 * STEP)))
    table.want_filter("restarts>8")
    steps = table.rebuilding(NOW)
    next(steps)
    table.toggle_mark(("shop", "p00000"), NOW)
    run(steps)
    assert "p00000" in names(table)


def test_rows_that_change_while_rows_are_made_are_taken_in_steps() -> None:
    table = table_of(*(pod(f"p{at:05}", at % 10) for at in range(3 * STEP)))
    table.set_filter("restarts>9", NOW)
    table.want_filter("restarts>8")
    steps, sizes = table.rebuilding(NOW), [0]
    for _ in range(3):  # all rows have been looked at
        next(steps)
    changed = [pod(f"p{at:05}", 9) for at in range(3 * STEP)]
    table.apply(table.store.apply("Pod", changed), NOW)
    sizes += [len(table) for _ in steps]
    assert max(after - before for before, after in pairwise(sizes)) <= STEP
    assert len(table) == 3 * STEP


def test_two_orders_in_a_row_are_both_meant() -> None:
    """The first is not applied yet when the second is chosen."""
    table = table_of(pod("a", 1), pod("b", 5))
    table.want_order(column(table, "restarts"))
    table.rebuilding(NOW)
    table.want_reverse()
    table.rebuild(NOW)
    assert names(table) == ["a", "b"]


@given(st.lists(st.lists(st.integers(), max_size=9), min_size=1, max_size=9))
def test_sorted_runs_become_one(numbers: list[list[int]]) -> None:
    runs = [[(value, False, 0, ("", "")) for value in sorted(each)] for each in numbers]
    found = [key[0] for key in run(merged(runs))]
    assert found == sorted(value for each in numbers for value in each)


def test_filtering_yields_to_keys_every_few_rows() -> None:
    table = table_of(*(pod(f"p{n:05}", restarts=n % 9) for n in range(10_000)))
    table.want_filter("restarts>4 node~node")
    steps = sum(1 for _ in table.rebuilding(NOW))
    assert steps >= 10_000 / STEP + len(table) / STEP - 1
    assert STEP <= 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cpu>3", "There is no column “cpu”; Pod has namespace, name"),
        ("restarts>many", "“many” is not a number"),
        ("age<soon", "“soon” is not a duration"),
        ("node>3", "The column node is text"),
        ("restarts>", "has no value"),
        ('name="a', "double quote"),
        ("!", "stands alone"),
        ("ready=maybe", "write !ready"),
        ("!cpu=3", "There is no column “cpu”"),
        ("na=shop", "namespace or name"),
        ("node=>node-2", "is not understood"),
        ("!!ready", "is not understood"),
        (">3", "is not understood"),
        ("web|api", "is not understood"),
        ("label:app=", "has no value"),
        ("status:Running", "write status=Running"),
        ("-l", "Write for example -l app=web"),
        ('-l "app in (a"', "is not a label selector"),
    ],
)
def test_a_bad_filter_is_one_clear_sentence_and_keeps_the_rows(text: str, words: str) -> None:
    table = table_of(pod("a"))
    with pytest.raises(FilterError, match=words) as caught:
        table.set_filter(text, NOW)
    assert str(caught.value).endswith(".")
    assert names(table) == ["a"]


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_one_sentence(text: str) -> None:
    try:
        found = compile_filter(text, columns("Pod"), "Pod")
    except FilterError:
        return
    assert found.holds(pod("a"), Store(), NOW) in (True, False)


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["namespace", "restarts", "age", "node", "ready"]),
    st.sampled_from(["", "restarts>2", "!ready", "node=node-1"]),
)
def test_changes_one_by_one_give_the_same_table_as_a_new_one(
    seed: int, sort: str, text: str
) -> None:
    chance = random.Random(seed)
    store = Store()
    table = ObjectTable(store, "Pod", NOW)
    table.set_filter(text, NOW)
    table.sort(column(table, sort), NOW)
    for _ in range(chance.choice([3, 30])):
        size = chance.choice([1, 5, 200])
        upserts = [
            pod(
                f"p{chance.randrange(60)}",
                chance.randrange(5),
                f"node-{chance.randrange(3)}",
                chance.random() < 0.5,
                chance.randrange(90),
            )
            for _ in range(size)
        ]
        deletes = [("shop", f"p{chance.randrange(60)}") for _ in range(chance.randrange(4))]
        table.apply(store.apply("Pod", upserts, deletes), NOW)
        fresh = ObjectTable(store, "Pod", NOW)
        fresh.set_filter(text, NOW)
        fresh.sort(column(fresh, sort), NOW)
        assert names(table) == names(fresh)
        assert all(table.row_of(table.key_at(row)) == row for row in range(len(table)))
        assert table.total == store.count("Pod")


def test_a_change_of_looks_moves_nothing() -> None:
    store = Store()
    store.replace("Pod", [pod("a"), pod("b")])
    table = ObjectTable(store, "Pod", NOW)
    delta = table.apply(store.apply("Pod", [pod("a", restarts=1)]), NOW)
    assert not delta.moved
    assert delta.touched == {("shop", "a")}


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_has_columns_that_read_an_empty_object(kind: str) -> None:
    """An object may come with nothing but a name: no column may fail on it."""
    store = Store()
    type_ = next(each.type for each in KINDS if each.name == kind)
    meta = (
        k.LeanMeta
        if type_.__struct_fields__
        and isinstance(type_().metadata, k.LeanMeta)
        and not isinstance(type_().metadata, k.ObjectMeta)
        else k.ObjectMeta
    )
    store.replace(kind, [type_(metadata=meta(name="x"))])
    table = ObjectTable(store, kind, NOW)
    for each in table.columns:
        table.sort(each, NOW)
        assert len(table.cells(0, table.columns, NOW)) == len(table.columns)


def container(state: k.ContainerState, ready: bool = False) -> k.ContainerStatus:
    return k.ContainerStatus(name="app", state=state, ready=ready)


WAITING = k.ContainerState(waiting=k.ContainerStateWaiting(reason="CrashLoopBackOff"))
RUNNING = k.ContainerState(running=k.ContainerStateRunning())


@pytest.mark.parametrize(
    ("status", "deleted", "word"),
    [
        (
            k.PodStatus(phase="Running", container_statuses=(container(RUNNING, True),)),
            False,
            "Running",
        ),
        (
            k.PodStatus(phase="Running", container_statuses=(container(WAITING),)),
            False,
            "CrashLoopBackOff",
        ),
        (
            k.PodStatus(phase="Running", container_statuses=(container(RUNNING, True),)),
            True,
            "Terminating",
        ),
        (k.PodStatus(phase="Running", reason="NodeLost"), True, "Unknown"),
        (k.PodStatus(phase="Failed", reason="Evicted"), False, "Evicted"),
        (
            k.PodStatus(
                phase="Succeeded",
                container_statuses=(
                    container(
                        k.ContainerState(terminated=k.ContainerStateTerminated(reason="Completed"))
                    ),
                ),
            ),
            False,
            "Completed",
        ),
        (
            k.PodStatus(
                phase="Failed",
                container_statuses=(
                    container(
                        k.ContainerState(
                            terminated=k.ContainerStateTerminated(exit_code=137, signal=9)
                        )
                    ),
                ),
            ),
            False,
            "Signal:9",
        ),
        (
            k.PodStatus(
                phase="Failed",
                container_statuses=(
                    container(k.ContainerState(terminated=k.ContainerStateTerminated(exit_code=2))),
                ),
            ),
            False,
            "ExitCode:2",
        ),
        (
            k.PodStatus(phase="Pending", init_container_statuses=(container(WAITING),)),
            False,
            "Init:CrashLoopBackOff",
        ),
        (
            k.PodStatus(
                phase="Pending",
                init_container_statuses=(container(RUNNING), container(k.ContainerState())),
            ),
            False,
            "Init:0/2",
        ),
        (
            k.PodStatus(
                phase="Pending",
                conditions=(
                    k.Condition(type="PodScheduled", status="False", reason="SchedulingGated"),
                ),
            ),
            False,
            "SchedulingGated",
        ),
    ],
)
def test_pod_status_is_what_kubectl_prints(status: k.PodStatus, deleted: bool, word: str) -> None:
    meta = k.LeanMeta(name="p", deletion_timestamp=NOW if deleted else None)
    assert pod_status.status(k.Pod(metadata=meta, status=status)) == word


def test_events_come_newest_first() -> None:
    store = Store()
    store.replace(
        "Event",
        [
            k.Event(
                metadata=k.LeanMeta(name=f"e{i}", namespace="shop"),
                last_timestamp=NOW - timedelta(minutes=i * 61),
            )
            for i in (3, 0, 25, 1)
        ],
    )
    assert names(ObjectTable(store, "Event", NOW)) == ["e0", "e1", "e3", "e25"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=60), st.integers(0, 3000))
def test_blocks_are_one_sorted_list(steps: list[tuple[bool, int]], size: int) -> None:
    model = set(range(0, size * 2, 2))
    ordered = Ordered(sorted(model))
    for adds, value in steps:
        if adds and value not in model:
            model.add(value)
            ordered.add(value)
        elif not adds and value in model:
            model.discard(value)
            ordered.remove(value)
    wanted = sorted(model)
    assert list(ordered) == wanted
    assert len(ordered) == len(wanted)
    for rank in range(0, len(wanted), 97):
        assert ordered[rank] == wanted[rank]
        assert ordered.rank(wanted[rank]) == rank
    with pytest.raises(ValueError, match="is not in the list"):
        ordered.remove(-1)


def test_blocks_split_when_they_grow() -> None:
    ordered = Ordered()
    for value in range(5_000):
        ordered.add(value * 7919 % 5_000)
    assert list(ordered) == list(range(5_000))
    assert ordered[4_321] == 4_321


def test_what_runs_on_a_silent_node_is_not_shown_as_ready() -> None:
    store = Store()
    names = {"dead": "Unknown", "well": "True"}
    store.replace("Node", [_node(name, ready) for name, ready in names.items()])
    state = k.PodStatus(phase="Running", container_statuses=(container(RUNNING, True),))
    store.replace(
        "Pod",
        [
            k.Pod(
                metadata=k.ObjectMeta(name=name, namespace="shop"),
                spec=k.PodSpec(node_name=name, containers=(k.Container(name="c"),)),
                status=state,
            )
            for name in names
        ],
    )
    table = ObjectTable(store, "Pod", NOW)
    shown = [column for column in table.columns if column.name in ("name", "ready", "status")]
    assert [table.cells(row, shown, NOW) for row in range(2)] == [
        ["dead", "0/1", "node silent"],
        ["well", "1/1", "Running"],
    ]
    nodes = ObjectTable(store, "Node", NOW)
    status = [column for column in nodes.columns if column.name == "status"]
    assert [nodes.cells(row, status, NOW) for row in range(2)] == [["NotReady,silent"], ["Ready"]]


def test_a_direction_that_a_network_policy_leaves_alone_is_not_shown_as_no_rules() -> None:
    store = Store()
    spec = k.NetworkPolicySpec(policy_types=("Ingress",))
    store.replace("NetworkPolicy", [k.NetworkPolicy(k.ObjectMeta(name="deny"), spec=spec)])
    table = ObjectTable(store, "NetworkPolicy", NOW)
    shown = [column for column in table.columns if column.name in ("ingress", "egress")]
    assert table.cells(0, shown, NOW) == ["0", ""]


def test_a_cordoned_node_is_ready_and_not_broken() -> None:
    store = Store()
    store.replace("Node", [_node("one", "True", cordoned=True)])
    table = ObjectTable(store, "Node", NOW)
    assert table.broken == 0
    table.set_filter("!ready", NOW)
    assert len(table) == 0


def _node(name: str, ready: str, *, cordoned: bool = False) -> k.Node:
    return k.Node(
        metadata=k.ObjectMeta(name=name),
        spec=k.NodeSpec(unschedulable=cordoned),
        status=k.NodeStatus(conditions=(k.Condition(type="Ready", status=ready),)),
    )
