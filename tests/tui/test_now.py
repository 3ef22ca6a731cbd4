"""The screen `now`: what is said in each state of knowing, and that none looks like health that is
not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cluster.live.freshness import WatchState
from incident.view import SymptomView
from tests.tui.fake import FakeInvestigation
from tests.tui.pilot import NARROW, TINY, WIDE, screens, shown, until
from text.status import banner_lines
from text.symptoms.listing import symptom_lines
from triage.facts.finding import Gap


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_now_says_what_since_when_what_is_shared_and_which_runbook(
    size: tuple[int, int],
) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        text = shown(app)
        for words in (
            "CRIT connections refused to marketplace",
            "8 min",
            "network-policy-cni-version-skew 0.91",
            "on node-2",
            "read-only",
            "prod-eu1",
            "rec 4 ok",
            "for      kube-router on node-2 runs another image",
            "missing  refused or rejected on the way?",
            "02:58 Node node-2",
            "03:02:12 UTC",
        ):
            assert words in text, f"{words!r} is not on screen:\n{text}"


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_now_opens_with_what_decides_and_the_first_thing_to_do(size: tuple[int, int]) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "stop the bleeding: Keep new pods off node-2?" in shown(app))
        text = shown(app)
        assert "do not: delete the NetworkPolicy" in text
        labels = [row.split("│")[-1].split() for row in text.split("\n")]
        first = [words[0] for words in labels if words]
        at = [first.index(label) for label in ("what", "since", "shared", "changed")]
        assert at == sorted(at)
        assert ("── when ──" in text) == (size == WIDE)


@pytest.mark.parametrize(
    ("scene", "said", "never"),
    [
        ("healthy", "No findings in", "Not known"),
        ("loading", "Not known yet: 3,500 objects", "No findings"),
        ("lost", "The API server does NOT answer", "No findings"),
        ("lost-at-start", "TCP     FAILS", "No findings"),
        ("offline", "No kubeconfig was found", "No findings"),
        ("forbidden", "not looked at: secrets", "No findings"),
        ("nothing-readable", "these credentials may read nothing here", "No findings"),
        ("nothing-readable", "ask for the right to view", "That was then"),
        ("refused", "Not known: nothing could be read yet", "asking the API server"),
    ],
)
async def test_each_state_of_knowing_reads_differently(scene: str, said: str, never: str) -> None:
    async with screens(scene) as (app, _, pilot):
        await until(pilot, lambda: said in shown(app))
        assert never not in shown(app)


async def test_a_reason_that_is_cut_is_seen_to_be_cut_and_the_age_is_not() -> None:
    async with screens("refused") as (app, _, pilot):
        await until(pilot, lambda: "Reading is impaired" in shown(app))
        assert [row for row in shown(app).split("\n") if row.endswith(" …") and len(row) <= 80]
    async with screens("lost") as (app, _, pilot):
        await until(pilot, lambda: "Shown is what was at" in " ".join(shown(app).split()))


def test_what_broke_is_said_on_every_screen() -> None:
    view = replace(
        FakeInvestigation().view, problem="The part 'ranking' broke; start stanch again."
    )
    assert "Something broke: The part 'ranking' broke" in " ".join(
        row.text for row in banner_lines(view, view.as_of)
    )


@pytest.mark.parametrize("size", [TINY, (20, 5)])
async def test_a_tiny_terminal_gets_one_sentence(size: tuple[int, int]) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "3 symptoms" in shown(app))
        assert "60x16" in shown(app) or size != TINY


def test_stale_kinds_are_not_listed_one_by_one_while_the_server_is_lost() -> None:
    view = FakeInvestigation("lost").view
    assert view.report is not None
    gaps = (Gap("Pod", "stale: no answer"), Gap("metrics", "forbidden"))
    view = replace(view, report=replace(view.report, unavailable=gaps))
    said = " ".join(row.text for row in symptom_lines(view, view.as_of))
    assert "not looked at: metrics" in said
    assert "Pod  stale" not in said


@pytest.mark.parametrize("key", ["l", "p"])
async def test_a_key_that_acts_on_a_symptom_says_when_none_is_chosen(key: str) -> None:
    async with screens("healthy") as (app, _, pilot):
        await until(pilot, lambda: "━━ now" in shown(app))
        await pilot.press(key)
        await until(
            pilot, lambda: "No symptom is chosen" in "".join(n.message for n in app._notifications)
        )


async def test_a_symptom_without_objects_says_where_all_objects_are() -> None:
    async with screens() as (app, fake, pilot):
        first = fake.view.symptoms[0]
        bare = replace(first, symptom=replace(first.symptom, objects=()))
        await until(pilot, lambda: "━━ now" in shown(app))
        fake.view = replace(fake.view, version=fake.view.version + 1, symptoms=(bare,))
        for listener in fake._listeners:
            listener(fake.view)
        await pilot.press("o")
        said = "This symptom names no object. 3 lists all."
        await until(pilot, lambda: said in "".join(n.message for n in app._notifications))


async def test_a_runbook_that_is_opened_while_the_cluster_is_read_may_not_be_the_last_word() -> (
    None
):
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "━━ now" in shown(app))
        pods, *rest = fake.view.kinds
        kinds = (replace(pods, state=WatchState.LOADING), *rest)
        fake.view = replace(fake.view, version=fake.view.version + 1, kinds=kinds)
        for listener in fake._listeners:
            listener(fake.view)
        await pilot.press("enter")
        said = "still being read: another runbook may fit better"
        await until(pilot, lambda: said in "".join(n.message for n in app._notifications))
        await until(pilot, lambda: "Keep new pods off node-2" in shown(app))


async def test_enter_opens_no_list_while_the_runbook_that_fits_is_not_known_yet() -> None:
    """The list opened over the symptom, and a second enter took its first runbook."""
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "━━ now" in shown(app))
        first, *rest = fake.view.symptoms
        unranked = (SymptomView(first.symptom, (), ranked=False), *rest)
        fake.view = replace(fake.view, version=fake.view.version + 1, symptoms=unranked)
        for listener in fake._listeners:
            listener(fake.view)
        await until(pilot, lambda: "The runbooks are being read." in shown(app))
        await pilot.press("enter")
        said = "The runbooks are still being read; press enter again in a moment."
        await until(pilot, lambda: said in [n.message for n in app._notifications])
        assert "choose a runbook" not in shown(app)


async def test_the_pane_with_the_focus_has_a_heavy_rule() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "━━ now" in shown(app) and "── why" in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: "── now" in shown(app) and "━━ why" in shown(app))
        await pilot.press("m")  # the focus is in the line to type in
        await until(pilot, lambda: "what do you see" in shown(app) and "━━" not in shown(app))


async def test_without_a_symptom_the_list_has_the_whole_height() -> None:
    async with screens("healthy", size=NARROW) as (app, _, pilot):
        await until(pilot, lambda: "No findings in" in shown(app))
        pane = app.screen.query_one(".left")
        await until(pilot, lambda: pane.size.height > NARROW[1] - 6)
