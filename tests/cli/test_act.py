"""`stanch act`: a plan is printed, nothing is changed without the exact word, and `--yes` never
answers for what can hurt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions import catalogue
from cli import act as command
from cli import exits
from cluster.kube.text import clean_uncut
from tests.actions.fake import FakeApi
from tests.cli.test_commands import Run, assert_one_sentence, stanch
from tests.incident.drill import served
from tests.probes.cells import node
from timeline.entry import NewEntry, ObjectRef
from timeline.journal.journal import Journal

NODE = "node-b2"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served("network-policy-cni-version-skew", tmp_path_factory.mktemp("drill")) as (_, path):
        yield path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def act(home: Path, kubeconfig: Path, *arguments: str) -> Run:
    return stanch(home, "act", *arguments, "--kubeconfig", str(kubeconfig))


def test_the_list_names_every_action_and_its_parameters(home: Path) -> None:
    ran = stanch(home, "act", "list")
    assert ran.returncode == exits.ANSWERED
    for action in catalogue.ACTIONS.values():
        assert action.name in ran.stdout
        assert all(f"{each.name}=" in ran.stdout for each in action.parameters)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("explode",), "no action 'explode'"), (("cordon", "node"), "write NAME=VALUE")],
)
def test_wrong_use_is_one_sentence(home: Path, arguments: tuple[str, ...], word: str) -> None:
    ran = stanch(home, "act", *arguments)
    assert ran.returncode == exits.USAGE
    assert_one_sentence(ran, word)


def test_a_plan_changes_nothing_and_is_a_document(home: Path, kubeconfig: Path) -> None:
    ran = act(home, kubeconfig, "drain", f"node={NODE}", "--plan", "-o", "json")
    document = json.loads(ran.stdout)
    assert document["schema"] == "stanch.act/1"
    assert document["result"] is None
    assert document["plan"]["action"] == "drain"
    assert len(document["plan"]["targets"]) > 1
    assert f"kubectl drain {NODE}" in ran.stderr


def test_read_only_and_without_a_terminal_nothing_is_changed(home: Path, kubeconfig: Path) -> None:
    ran = act(home, kubeconfig, "cordon", f"node={NODE}")
    assert (ran.returncode, "read-only" in ran.stderr) == (exits.USAGE, True)
    ran = act(home, kubeconfig, "cordon", f"node={NODE}", "--write")
    assert (ran.returncode, "must be typed" in ran.stderr) == (exits.USAGE, True)
    ran = act(home, kubeconfig, "cordon", "node=absent", "--write", "--yes")
    assert (ran.returncode, "does not exist" in ran.stderr) == (exits.USAGE, True)


def test_yes_confirms_what_affects_no_running_pod_and_nothing_else(
    home: Path, kubeconfig: Path
) -> None:
    ran = act(
        home, kubeconfig, "add-taint", f"node={NODE}", "taint=a:NoExecute", "--write", "--yes"
    )
    assert (ran.returncode, "can hurt" in ran.stderr) == (exits.USAGE, True)
    ran = act(home, kubeconfig, "cordon", f"node={NODE}", "--write", "--yes", "-o", "json")
    assert ran.returncode == exits.ANSWERED, ran.stderr
    assert json.loads(ran.stdout)["result"]["outcome"] == "done"
    again = act(home, kubeconfig, "cordon", f"node={NODE}", "--write", "--yes")
    assert "already" in again.stderr
    back = act(home, kubeconfig, "uncordon", f"node={NODE}", "--write", "--yes")
    assert back.returncode == exits.ANSWERED, back.stderr


def test_what_fits_an_object_is_listed_as_commands(home: Path, kubeconfig: Path) -> None:
    ran = act(home, kubeconfig, "list", f"node/{NODE}")
    assert ran.returncode == exits.ANSWERED, ran.stderr
    assert f"stanch act cordon node={NODE}" in ran.stdout
    assert f"stanch act add-taint node={NODE} taint=…" in ran.stdout
    ran = act(home, kubeconfig, "list", "node/absent")
    assert (ran.returncode, "does not exist" in ran.stderr) == (exits.USAGE, True)


def test_an_unknown_change_of_before_a_crash_is_settled(home: Path) -> None:
    folder = home / ".local" / "state" / "stanch" / "incidents"
    with Journal.create(folder, "killed", clean=clean_uncut) as journal:
        ref = ObjectRef(kind="Node", namespace="", name=NODE)
        data = {"intent_id": "action/cordon/0badcafe", "action": "cordon"}
        journal.append(NewEntry(kind="action-intent", text="cordon", object=ref, data=data))
    ran = stanch(home, "act", "settle")
    assert "action/cordon/0badcafe" in ran.stdout
    assert stanch(home, "act", "settle", "0badcafe").returncode == exits.USAGE
    ran = stanch(home, "act", "settle", "0badcafe", "it", "is", "cordoned")
    assert ran.returncode == exits.ANSWERED, ran.stderr
    assert stanch(home, "act", "settle").stdout == ""
    ran = stanch(home, "act", "settle", "0badcafe", "again")
    assert (ran.returncode, "not one of the unknown" in ran.stderr) == (exits.USAGE, True)


@pytest.mark.parametrize(
    ("lines", "typed", "asked"),
    [
        (["node-2"], "node-2", 1),
        (["yes", "NODE-2", "node-2"], "node-2", 3),
        (["yes", ""], "", 2),
        ([], "", 1),
    ],
)
async def test_a_wrong_confirmation_is_asked_again(
    lines: list[str], typed: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    async def ask(question: str) -> str:
        questions.append(question)
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.setattr(command, "Prompt", lambda: ask)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    api = FakeApi([node("node-1"), node("node-2"), node("node-3")])
    plan = await catalogue.plan("cordon", api.context(), {"node": "node-2"})
    assert await command._confirmed(plan, yes=False) == typed
    assert len(questions) == asked
