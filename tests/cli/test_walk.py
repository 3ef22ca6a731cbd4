"""`stanch run` on a plain terminal: what is shown, asked, changed and left alone; input is a script
of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import exits
from cli.connection import is_settled
from cli.walk import Walkthrough, best_symptom
from cluster.kube.objects import Node
from incident.session import LiveInvestigation
from tests.incident.drill import investigating, served, until

DRILL = "network-policy-cni-version-skew"


def script(*lines: str) -> Callable[[str], str]:
    """Answers in this order; then the input ends."""
    rest: Iterator[str] = iter(lines)

    def ask(prompt: str) -> str:
        print(prompt)
        try:
            return next(rest)
        except StopIteration:
            raise EOFError from None

    return ask


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without the line ends of a narrow terminal."""
    return " ".join(capsys.readouterr().out.split())


async def walk(investigation: LiveInvestigation, *lines: str) -> Walkthrough:
    await until(investigation, is_settled)
    await until(investigation, lambda view: bool(best_symptom(investigation, DRILL)))
    opened = investigation.open_run(DRILL, best_symptom(investigation, DRILL))
    through = Walkthrough(investigation, opened, script(*lines))
    assert await through.go() == exits.ANSWERED
    return through


def cordoned(investigation: LiveInvestigation, name: str) -> bool:
    node = investigation.store.get("Node", "", name)
    return isinstance(node, Node) and node.spec.unschedulable


async def test_a_change_is_shown_in_full_and_made_only_when_its_name_is_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as investigation:
            await walk(investigation, "", "yes", "", "node-b2")
            shown = said(capsys)
            assert shown.count("to do it, type exactly node-b2") == 2
            assert shown.count("nothing was changed") == 1, "anything but the name leaves it"
            assert "spec.unschedulable: false -> true" in shown
            assert "undo: kubectl uncordon node-b2" in shown
            assert "dry run: accepted" in shown
            assert "step 2 (you)" in shown
            await until(investigation, lambda _: cordoned(investigation, "node-b2"))


async def test_a_read_only_session_offers_no_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await walk(investigation, "", "s", "not now")
            shown = said(capsys)
            assert "show the change" not in shown
            assert "step 2 (you)" in shown
            assert not cordoned(investigation, "node-b2")


async def test_parameters_are_shown_and_changed_and_the_checks_of_a_part_run_on_one_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await walk(
                investigation,
                "p",
                "node=node-b3",
                "p",
                "nonsense",
                "s",
                "-",
                "s",
                "-",
                "s",
                "-",
                "a",
            )
            shown = said(capsys)
            assert "with: node=node-b2" in shown
            assert "node=node-b3 (typed)" in shown
            assert "not changed: write one of node" in shown
            assert "run all 3 read-only checks of this part" in shown
            assert "differs on node-b2" in shown
            assert "step 7 (probe)" in shown, "the first abnormal answer leads to the measurement"
