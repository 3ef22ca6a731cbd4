"""`stanch run` on a plain terminal: what is shown, asked, changed and left alone; input is a script
of lines."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from cli import exits
from cli.connection import is_settled
from cli.prompt import Prompt
from cli.run import Terminal
from cluster.kube.objects import Node
from cluster.kube.text import clean_uncut
from incident.session import LiveInvestigation
from incident.walkthrough.run import RunView, StepOutcome, StepState
from tests import shipped
from tests.incident.drill import investigating, served, until
from tests.tui.story_runbook import runbook
from text.runbook import verified_text
from timeline.journal.journal import Journal

DRILL = "network-policy-cni-version-skew"


def script(*lines: str) -> Callable[[str], Awaitable[str]]:
    """Answers in this order; then the input ends."""
    rest: Iterator[str] = iter(lines)

    async def ask(prompt: str) -> str:
        print(prompt)
        try:
            return next(rest)
        except StopIteration:
            raise EOFError from None

    return ask


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without the line ends of a narrow terminal."""
    return " ".join(capsys.readouterr().out.split())


async def follow(investigation: LiveInvestigation, *lines: str) -> Terminal:
    await until(investigation, is_settled)
    await until(
        investigation,
        lambda view: any(match.id == DRILL for each in view.symptoms for match in each.matches),
    )
    opened = investigation.walkthrough.open(DRILL)
    terminal = Terminal(investigation, opened, script(*lines))
    assert await terminal.go() == exits.ANSWERED
    return terminal


def cordoned(investigation: LiveInvestigation, name: str) -> bool:
    node = investigation.store.get("Node", "", name)
    return isinstance(node, Node) and node.spec.unschedulable


async def test_a_change_is_shown_in_full_and_made_only_when_its_name_is_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as investigation:
            await follow(investigation, "", "yes", "", "node-b2")
            shown = said(capsys)
            assert shown.count("to do it, type exactly node-b2") == 2
            assert shown.count("nothing was changed") == 1, "anything but the name leaves it"
            assert "spec.unschedulable: not set -> true" in shown
            assert "undo kubectl uncordon node-b2" in shown
            assert "dry run accepted" in shown
            assert "step 2 (CHANGE)" in shown
            await until(investigation, lambda _: cordoned(investigation, "node-b2"))


async def test_a_read_only_session_offers_no_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await follow(investigation, "", "s", "not now")
            shown = said(capsys)
            assert "show the change" not in shown
            assert "step 2 (CHANGE)" in shown
            assert not cordoned(investigation, "node-b2")


async def test_parameters_are_shown_and_changed_and_the_checks_of_a_part_run_on_one_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await follow(
                investigation,
                "e",
                "node=node-b3",
                "e",
                "nonsense",
                "s",
                "-",
                "s",
                "-",
                "s",
                "-",
                "i",
            )
            shown = said(capsys)
            assert "node = node-b2" in shown
            assert "node = node-b3 typed" in shown
            assert "not changed: write one of node" in shown
            assert "run all 3 read-only checks of this part" in shown
            assert "differs on node-b2" in shown
            assert "step 7 (probe)" in shown, "the first abnormal answer leads to the measurement"


async def test_an_answer_that_the_step_does_not_offer_is_refused_and_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await follow(investigation, "yes", "perhaps", "do", "u", "3")
            shown = said(capsys)
            assert shown.count("is not an answer to this step") == 3, "yes, perhaps and do"
            assert "has changed nothing that could be undone" in shown
            results = [entry for entry in investigation.entries() if entry.kind == "step-result"]
            assert [entry.data["answer"] for entry in results] == ["unknown"]


async def test_a_change_is_undone_at_the_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as investigation:
            await follow(investigation, "", "node-b2", "u", "node-b2")
            shown = said(capsys)
            assert "u undo cordon-node" in shown
            assert "spec.unschedulable: true -> removed" in shown
            assert "open again undo: Done: undo of cordon: Node node-b2" in shown
            await until(investigation, lambda _: not cordoned(investigation, "node-b2"))


async def test_lines_are_read_beside_the_loop_to_the_end_of_the_input() -> None:
    reading, writing = os.pipe()
    try:
        prompt = Prompt(reading)
        asked = asyncio.create_task(prompt(""))
        beside = asyncio.Event()
        asyncio.get_running_loop().call_soon(beside.set)
        await beside.wait()
        assert not asked.done(), "the loop runs while the prompt waits"
        os.write(writing, b"first\r\nsec")
        assert await asked == "first"
        os.write(writing, "ond é\nlast".encode())
        os.close(writing)
        assert await prompt("") == "second é"
        assert await prompt("") == "last"
        with pytest.raises(EOFError):
            await prompt("")
    finally:
        os.close(reading)


async def test_a_file_is_read_like_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_text("q\n")
    with path.open() as file:
        prompt = Prompt(file.fileno())
        assert await prompt("") == "q"
        with pytest.raises(EOFError):
            await prompt("")


def at_a_terminal() -> None:
    """Of this process on: its standard input is its terminal, and Ctrl-C reaches it also where the
    tests run in the background of a script, which ignores it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_first_ctrl_c_ends_it_and_nothing_of_the_next_line_is_recorded(tmp_path: Path) -> None:
    with served(DRILL, tmp_path) as (_, kubeconfig):
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "cli.main", "run", DRILL, "--kubeconfig", str(kubeconfig)]
        process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=at_a_terminal,
            env=os.environ | {"STANCH_STATE": str(tmp_path / "state")},
        )
        os.close(follower)
        shown = b""
        while b"q stop:" not in shown:
            shown += os.read(leader, 65_536)
        os.write(leader, b"\x03")
        os.write(leader, b"unknown\n")
        with contextlib.suppress(OSError):  # the other end closes with the process
            while read := os.read(leader, 65_536):
                shown += read
        assert process.wait(30) == exits.INTERRUPTED, shown.decode()
        os.close(leader)
    (path,) = (tmp_path / "state" / "incidents").glob("*.db")
    with Journal.open_read_only(path, clean=clean_uncut) as journal:
        kinds = [entry.kind for entry in journal.entries()]
    assert "run-started" in kinds
    assert "step-result" not in kinds


@pytest.mark.parametrize(
    ("state", "answer", "reply", "noted"),
    [
        (StepState.PASSED, "clear", "yes", ["!mitigated Verify passed: {question} (all answer)"]),
        (StepState.PASSED, "clear", "no", []),
        (StepState.FAILED, "found", "yes", []),
        (StepState.ANSWERED, "no", "yes", []),
    ],
)
async def test_a_mark_is_offered_when_all_of_verify_is_as_expected(
    state: StepState, answer: str, reply: str, noted: list[str]
) -> None:
    book = runbook()
    section = book.section("verify")
    assert section is not None
    outcome = StepOutcome(state, seen="all answer\nby name", answer=answer)
    outcomes = {step.id: outcome for step in section.steps}
    run = RunView(
        id="run",
        runbook=book,
        symptom_id="",
        symptom_title="",
        parameters={},
        outcomes=outcomes,
        current="",
    )
    told: list[str] = []

    async def recorded(entry: Any) -> Any:
        return entry

    stub = SimpleNamespace(
        walkthrough=None, entries=lambda: (), note=told.append, recorded=recorded
    )
    terminal = Terminal(cast("LiveInvestigation", stub), run, script(reply))
    await terminal._offer_mark(section.steps[-1])
    noted = [each.format(question=section.steps[-1].question) for each in noted]
    assert told == noted
    await terminal._offer_mark(next(book.steps()))
    assert told == noted, "only after a step of Verify"


async def test_a_mark_is_offered_when_a_person_s_answer_is_the_end_of_the_runbook() -> None:
    """The rest of Verify, which measures another way, stays open."""
    page = shipped.library().get("load-balancer-backends-flapping")
    assert page is not None
    step = page.step("users-served")
    assert step is not None
    answer = "around the balancer"
    outcome = StepOutcome(StepState.ANSWERED, seen=f"{step.question} {answer}", answer=answer)
    run = RunView("run", page, "", "", {}, {step.id: outcome}, "", end="done")
    assert run.verified(step)
    assert verified_text(run, step) == f"Verify passed: {step.question} ({answer})"
    assert not replace(run, end="").verified(step)
