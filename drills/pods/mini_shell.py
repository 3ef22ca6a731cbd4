"""A very small shell: the part of `sh -c` that people and probes type into a drill (echo,
redirection to standard error, exit, `;`, `&&`, `

`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

_SPLIT = re.compile(r"\s*(;|&&|\|\||\n)\s*")


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words, where its output goes, and when it runs (`;` always, `&&`,
    `||`)."""

    words: list[str]
    to_stderr: bool
    quiet: bool
    when: str


def parse(script: str) -> list[Command] | None:
    """None when the script uses more than simple commands (pipes, loops, substitutions)."""
    if re.search(r"[`(){}]|\$\(|(?<!\|)\|(?!\|)|\b(for|while|if|case)\b", script):
        return None
    steps: list[Command] = []
    when = ";"
    for number, part in enumerate(_SPLIT.split(script.strip())):
        if number % 2:
            when = ";" if part == "\n" else part
            continue
        text, to_stderr = re.subn(r"\s*1?>&2", "", part)
        text, quiet = re.subn(r"\s*[12]?>\s*/dev/null", "", text.replace("2>&1", ""))
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        if words[:1] == ["exec"]:
            words = words[1:]
        if words:
            steps.append(Command(words, bool(to_stderr), bool(quiet), when))
    return steps


def run(
    script: str, command: Callable[[list[str]], tuple[bytes, bytes, int]]
) -> tuple[bytes, bytes, int] | None:
    """(stdout, stderr, exit status) of a script; `command` answers its commands. None when it
    cannot be parsed."""
    steps = parse(script)
    if steps is None:
        return None
    out, err, code = b"", b"", 0
    for step in steps:
        if (step.when == "&&" and code != 0) or (step.when == "||" and code == 0):
            continue
        if step.words[0] == "exit":
            given = step.words[1:2]
            return out, err, int(given[0]) if given and given[0].isdigit() else code
        made, complained, code = command(step.words)
        if not step.quiet:
            err += complained + (made if step.to_stderr else b"")
            out += b"" if step.to_stderr else made
    return out, err, code


def printed(command: list[str]) -> list[str]:
    """The output of a container with the command `sh -c SCRIPT` with echoes, or an echo."""
    if command[:1] == ["echo"]:
        return [" ".join(command[1:])]
    if len(command) < 3 or command[1] != "-c":
        return []

    def only_echo(words: list[str]) -> tuple[bytes, bytes, int]:
        return (" ".join(words[1:]) + "\n").encode() if words[0] == "echo" else b"", b"", 0

    done = run(command[2], only_echo)
    return [] if done is None else (done[0] + done[1]).decode().splitlines()
