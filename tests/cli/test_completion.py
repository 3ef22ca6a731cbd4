"""Completion offers every option of the grammar, and names as they are when Tab is pressed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.arguments import parser
from cli.completion import NAMES, _actions, script
from cli.main import main
from incident.offline import names
from incident.options import Options

CONFIG = """
apiVersion: v1
kind: Config
current-context: prod
contexts: [{name: prod, context: {cluster: c, user: u}}, {name: "stage\\e[31m", context: {}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: x}}]
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_is_offered(shell: str) -> None:
    text = script(shell)
    options = {word for _, action in _actions(parser()) for word in action.option_strings}
    assert len(options) > 30
    missing = {
        option
        for option in options
        if option not in text and not (shell == "fish" and option.lstrip("-") in text)
    }
    assert missing == set()
    for kind in {*NAMES.values()}:
        assert f"stanch completion names {kind}" in text


def options(tmp_path: Path) -> Options:
    config = tmp_path / "config"
    config.write_text(CONFIG)
    return Options(kubeconfig=str(config), state=tmp_path / "state", config=tmp_path)


def test_names_are_sorted_and_clean(tmp_path: Path) -> None:
    given = options(tmp_path)
    assert names.names("contexts", given) == ["prod", "stage"]
    assert "coredns-oom" in names.names("runbooks", given)
    assert "cordon" in names.names("actions", given)
    assert "connectivity" in names.names("probes", given)
    assert "new" in names.names("incidents", given)


@pytest.mark.parametrize("hostile", ["$(reboot)", "`reboot`", "-n", "a b", "a;b", "a'b", "~", "x)"])
def test_a_name_that_a_shell_would_expand_is_not_offered(
    hostile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """bash expands the words of `compgen -W`, and others wrote the names of contexts."""
    usual = ["arn:aws:eks:eu-1:1:cluster/prod", "kubernetes-admin@kubernetes", "gke_p_z_c"]
    monkeypatch.setattr(names, "names", lambda *_: [hostile, *usual])
    assert main(["completion", "names", "contexts"]) == 0
    assert capsys.readouterr().out.split("\n") == [*usual, ""]


def test_a_cluster_that_does_not_answer_offers_nothing(tmp_path: Path) -> None:
    assert names.names("namespaces", options(tmp_path)) == []
    assert names.names("contexts", Options(kubeconfig=str(tmp_path / "absent"))) == []


def test_bash_completes_with_the_names_of_now(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    stanch = tmp_path / "stanch"
    stanch.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    stanch.chmod(0o755)
    (tmp_path / "script").write_text(script("bash"))
    program = (
        f"source {tmp_path}/script; COMP_WORDS=(stanch run coredns-o); COMP_CWORD=2; "
        'COMPREPLY=(); _shtab_stanch; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", program],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "coredns-oom\n", done.stderr
