"""Tables of objects, the page of one object, and logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from cluster.kube import objects as k
from cluster.kube.objects import Ref
from cluster.live.store import Store, StoreUpdate
from incident.pod_logs import LogQuery
from incident.tables.columns import COLUMNS
from incident.tables.related import first_pod
from incident.tables.table import Delta, ObjectTable
from tests.tui import story, story_triage
from tests.tui.pilot import WIDE, screens, shown, until
from text.lines import plain_text
from text.log_page import LogView, log_state
from text.object_table import NAME_MINIMUM, empty_lines, fitting, headings
from tui.screens.objects import ObjectsScreen


async def test_the_table_filters_sorts_and_keeps_its_cursor_on_the_object() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen: Any = app.screen
        screen.action_filter()
        await pilot.press(*"restarts>1")
        await until(pilot, lambda: "7 of 63 pods" in shown(app))
        screen._filter_line.value = "restarts>1 foo>3"
        await until(pilot, lambda: "There is no column “foo”" in shown(app))
        assert "catalog-7c9d5b6f4-0abcd" in shown(app)
        screen._filter_line.value = "restarts>1"  # what is wrong was taken back
        await until(
            pilot, lambda: "There is no column" not in shown(app) and "7 of 63 pods" in shown(app)
        )
        await pilot.press("escape")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen._table.select(("marketplace", "catalog-7c9d5b6f4-3abcd"))
        before = screen._table.key
        fake.change(
            "Pod",
            story.pod("aaa", "first", "node-1"),
            story.pod("marketplace", "catalog-7c9d5b6f4-1aaaa", "node-1"),
        )
        fake.publish()
        await until(pilot, lambda: "65 pods" in shown(app))
        assert screen._table.key == before
        assert any(
            "›marketplace" in row and "catalog-7c9d5b6f4-3abcd" in row
            for row in shown(app).split("\n")
        )


async def test_a_flood_of_changed_rows_is_taken_a_part_with_each_paint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "63 pods" in shown(app))
        monkeypatch.setattr("tui.screens.objects.AT_ONCE", 10)
        sizes: list[int] = []
        apply = ObjectTable.apply

        def counted(table: ObjectTable, changes: Sequence[StoreUpdate], now: datetime) -> Delta:
            sizes.append(len(changes))
            return apply(table, changes, now)

        monkeypatch.setattr(ObjectTable, "apply", counted)
        fake.change("Deployment", *(k.Deployment(k.ObjectMeta(name=f"d{n}")) for n in range(20)))
        for _ in range(2):  # of two changes of a row the last one is taken
            fake.change("Pod", *(story.pod("flood", f"p{n:02}", "node-1") for n in range(35)))
        fake.publish()
        table: Any = app.screen
        await until(pilot, lambda: sum(sizes) >= 35 and not table._changes)
        assert max(sizes) == 10
        assert sum(sizes) == 35
        await until(pilot, lambda: "98 pods" in shown(app))


@pytest.mark.parametrize(
    ("scene", "kind", "said"),
    [
        ("loading", "Pod", "pods: loading"),
        ("forbidden", "Secret", "secrets: forbidden"),
        ("lost", "Pod", "STALE, as of 03:08:42 UTC"),
        ("story", "PodDisruptionBudget", "This server does not offer disruption budgets."),
        ("story", "Job", "There are no jobs as of"),
        ("lost-at-start", "Pod", "Not read yet: pods."),
    ],
)
async def test_an_empty_table_says_why(scene: str, kind: str, said: str) -> None:
    async with screens(scene, WIDE) as (app, _, pilot):
        app.action_go("objects")
        await until(pilot, lambda: isinstance(app.screen, ObjectsScreen))
        screen = app.screen
        assert isinstance(screen, ObjectsScreen)
        screen.show_kind(kind)
        await until(pilot, lambda: said in shown(app))


@pytest.mark.parametrize(
    ("words", "kind"), [("svc", "services"), ("pvc", "volume claims"), ("sts", "stateful sets")]
)
async def test_a_colon_opens_a_kind_by_its_short_name(words: str, kind: str) -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("colon", *words, "enter")
        await until(pilot, lambda: f"━━ {kind}" in shown(app))


async def test_a_custom_resource_opens_as_the_table_of_the_server() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("colon", "w", "d")
        await until(pilot, lambda: "widgets" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Stuck" in shown(app))
        assert "widgets (example.com/v1)" in shown(app)
        assert ("other_rows", "Widget") in fake.calls
        await pilot.press("enter")
        await until(pilot, lambda: "Widget shop/blue" in shown(app) and "Stalled" in shown(app))
        assert "status.phase" in shown(app)
        assert "kubectl -n shop edit widgets.example.com/blue" in shown(app)
        await pilot.press("w")
        await until(pilot, lambda: "›Gadget shop/big  not watched: enter reads it" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: ("other_object", Ref("Gadget", "shop", "big")) in fake.calls)
        await pilot.press("y")
        await until(pilot, lambda: "kind: Gadget" in shown(app))


async def test_owners_and_dependants_lead_on() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.open_object(Ref("Pod", "marketplace", "catalog-7c9d5b6f4-0abcd"), "related")
        await until(pilot, lambda: "›Deployment marketplace/catalog" in shown(app))
        assert "   ReplicaSet marketplace/catalog-7c9d5b6f4" in shown(app)
        assert "runs on   Node node-2" in shown(app)
        await pilot.press("down", "enter")
        await until(
            pilot,
            lambda: (
                "ReplicaSet marketplace/catalog-7c9d5b6f4" in shown(app)
                and "[summary]" in shown(app)
            ),
        )


async def test_what_can_be_done_is_offered_and_passes_the_gate() -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        app.open_object(Ref("Node", "", "node-2"))
        await pilot.press("a")
        await until(pilot, lambda: "what can be done" in shown(app))
        await pilot.press(*"cordon")
        await until(pilot, lambda: "cordon Node node-2" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
        await pilot.press(*"node-2", "enter")
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls)


async def test_one_action_on_all_marked_nodes_asks_for_each() -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: isinstance(app.screen, ObjectsScreen))
        screen = app.screen
        assert isinstance(screen, ObjectsScreen)
        screen.show_kind("Node")
        await pilot.press("space", "space")
        await until(pilot, lambda: "2 marked" in shown(app))
        await pilot.press("f", *"name=nothing", "enter")
        await until(pilot, lambda: "2 marked (2 beside the filter)" in shown(app))
        first, second = (ref.name for ref in screen.marked)
        await pilot.press("a")
        await until(pilot, lambda: "what can be done with 2 objects" in shown(app))
        await pilot.press(*"drain", "enter")
        for name in (first, second):
            await until(pilot, partial(_asks_about, app, name))
            await pilot.press(*name, "enter")
            await until(pilot, partial(fake.calls.__contains__, ("drain", name)))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "marked" not in shown(app))


def _asks_about(app: Any, name: str) -> bool:
    return f"Node {name}" in shown(app) and f"type exactly  {name}" in shown(app)


async def test_an_object_that_is_named_on_any_screen_opens() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("O")
        await until(pilot, lambda: "which object?" in shown(app))
        await pilot.press(*"node node-2", "enter")
        await until(pilot, lambda: "[summary]" in shown(app) and "━━ Node node-2" in shown(app))


async def test_a_range_of_a_log_and_of_yaml_is_kept() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: "120 lines" in shown(app))
        await pilot.press("space", "up", "up")
        await until(pilot, lambda: "3 in the range" in shown(app))
        await pilot.press("K")
        await until(pilot, lambda: "(and 3 more lines)" in str(fake.entries()))
        await until(pilot, lambda: "in the range" not in shown(app))
        app.open_object(story.CATALOG[0], "yaml")
        await until(pilot, lambda: "apiVersion: v1" in shown(app))
        await pilot.press("down", "space", "down", "K")
        await until(pilot, lambda: "(and 2 more lines)" in str(fake.entries()))
        kept = [entry.text for entry in fake.entries() if entry.text.startswith("kept from the")]
        assert kept[-1].startswith(f"kept from the YAML of {story.CATALOG[0]}")


async def test_logs_of_a_symptom_and_the_object_of_a_finding() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("l")
        await until(
            pilot,
            lambda: (
                "logs of Pod marketplace/catalog-7c9d5b6f4-0abcd" in shown(app)
                and "502 upstream connect error" in shown(app)
            ),
        )
        await pilot.press("v")
        await until(
            pilot,
            lambda: "before the last restart" in shown(app) and "  5 lines" in shown(app),
        )
        await pilot.press("escape", "z", "tab", "down", "enter")
        await until(pilot, lambda: "[summary]" in shown(app))


async def test_a_log_is_searched_narrowed_paused_and_kept() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: "120 lines" in shown(app))
        await pilot.press("slash", *"/117", "enter")
        await until(pilot, lambda: "/catalog/117" in shown(app))
        await pilot.press("escape", "f", "f", "f")
        await until(pilot, lambda: "errors" in shown(app) and "108 hidden by level" in shown(app))
        await pilot.press("p")
        await until(pilot, lambda: "paused" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "kept from the" in str(fake.entries()))
        kept = next(entry for entry in fake.entries() if "kept from the" in entry.text)
        assert kept.text == (
            "kept from the logs of Pod marketplace/catalog-7c9d5b6f4-0abcd (and 12 more lines)"
        )


def test_the_pod_whose_log_is_read_has_started_on_a_node_that_answers() -> None:
    store = Store()
    store.replace("Node", [story.node("node-1", ready="Unknown"), story.node("node-2")])
    silent = story.pod("kube-system", "agent-1", "node-1")
    waiting = story.pod("kube-system", "agent-2", "node-2", waiting="ContainerCreating")
    running = story.pod("kube-system", "agent-3", "node-2")
    store.replace("Pod", [silent, waiting, running])
    symptom = story_triage.report().symptoms[0]

    def chosen(*pods: k.Pod) -> str:
        refs = tuple(Ref("Pod", each.metadata.namespace, each.metadata.name) for each in pods)
        found = first_pod(replace(symptom, objects=refs, findings=()), store)
        return found.name if found else ""

    assert chosen(silent, waiting, running) == "agent-3"
    assert chosen(silent, waiting) == "agent-2"
    assert chosen(silent) == ""


def test_a_pod_that_has_not_started_stands_before_a_healthy_one_of_its_workload() -> None:
    store = Store()
    store.replace("Node", [story.node("node-2")])
    waiting = story.pod("kube-system", "agent-2", "node-2", "agent", waiting="ContainerCreating")
    healthy = story.pod("kube-system", "agent-3", "node-2", "agent")
    store.replace("Pod", [healthy, waiting])
    uid = healthy.metadata.owner_references[0].uid
    meta = k.LeanMeta(name="agent", namespace="kube-system", uid=uid)
    store.replace("ReplicaSet", [k.ReplicaSet(metadata=meta)])
    symptom = story_triage.report().symptoms[0]
    refs = (
        Ref("ReplicaSet", "kube-system", "agent"),
        Ref("Pod", "kube-system", "agent-2"),
    )
    found = first_pod(replace(symptom, objects=refs, findings=()), store)
    assert found is not None
    assert found.name == "agent-2"


@pytest.mark.parametrize(("width", "ends"), [(200, "all containers"), (40, "…")])
def test_the_state_of_a_log_is_never_cut(width: int, ends: str) -> None:
    query = LogQuery((Ref("Pod", "shop", "web-7d4b9c-x2k8z"),), previous=True, since=300)
    row = log_state(query, LogView(), (1, 0, 0, 0), "ended", width)
    assert row.text.startswith(" ended  1 line  before the")
    assert row.text.endswith(ends)
    assert row.width <= width


async def test_a_search_that_finds_nothing_says_so_and_escape_closes_it() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        told: list[str] = []
        app.tell = lambda text, *_, **__: told.append(text)  # type: ignore[method-assign]  # keeps what is said
        await until(pilot, lambda: "CRIT" in shown(app))
        app.open_object(story.CATALOG[0])
        await pilot.pause()
        await pilot.press("slash", *"xyzzy", "enter")
        await until(pilot, lambda: told == ["“xyzzy” is not in this text."])
        assert "enter next" in shown(app)
        assert "next part" not in shown(app), "letters are text while the line is typed in"
        await pilot.press("escape")
        await until(pilot, lambda: "next part" in shown(app))
        assert "summary" in shown(app)


async def test_a_refused_filter_is_corrected_where_it_stands_and_edited_at_its_end() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "catalog" in shown(app))
        await pilot.press("f", *"nope=3", "enter")
        await until(pilot, lambda: "There is no column" in shown(app))
        await pilot.press("ctrl+u", *"restarts>0", "enter")
        screen: Any = app.screen
        await until(pilot, lambda: screen.table.filter.text == "restarts>0")
        await pilot.press("f", *"0")
        await until(pilot, lambda: screen.table.filter.text == "restarts>00")


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_arrow_of_the_order_fits_into_each_heading(kind: str) -> None:
    table = ObjectTable(Store(), kind, story.NOW)
    for column in table.columns:
        table.sort(column, story.NOW)
        titles = [each for each in headings(table, table.columns) if each.title[-1] in "↑↓"]
        assert len(titles) == 1
        assert not titles[0].width or len(titles[0].title) <= titles[0].width


@pytest.mark.parametrize("kind", ["Pod", "Node", "Job"])
@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_the_status_is_shown_on_small_terminals_too(kind: str, width: int) -> None:
    shown = fitting(COLUMNS[kind], width)
    status = next(column for column in shown if column.name == "status")
    assert status.width >= 10
    assert sum((column.width or NAME_MINIMUM) + 1 for column in shown) < width


def test_without_a_cluster_a_table_does_not_promise_that_it_will_be_read() -> None:
    said = plain_text(empty_lines(ObjectTable(Store(), "Pod", story.NOW), None, story.NOW)[1])
    assert said.startswith(" No cluster was asked for pods.")
