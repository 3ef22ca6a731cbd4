"""`stanch doctor`: checks that this machine and this account have what stanch needs. `stanch config
show`: the settings."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cli import exits
from cli.connection import options_of
from cli.printing import print_document
from incident.config import FILE, Config, load_config, origins, place
from incident.options import Options

if TYPE_CHECKING:
    from incident.offline.doctor import Examined
    from tui.keys import KeyBinding

_WORD = {True: "ok", False: "NO", None: "?"}


def run(arguments: argparse.Namespace) -> int:
    if arguments.command == "config":
        settings = options_of(arguments, record=False)
        return (_keys if arguments.verb == "keys" else _settings)(settings, arguments.output)
    return asyncio.run(_run(options_of(arguments, record=False), arguments.output))


def _settings(options: Options, output: str) -> int:
    """Every setting, its value, and where that comes from."""
    path = options.config / FILE
    config = load_config(options.config)
    _remapped(config, options)
    rows = [*origins(config, options.config), *_given(options)]
    if output == "json":
        settings = [{"name": name, "value": value, "from": origin} for name, value, origin in rows]
        print_document({"schema": "stanch.config/1", "file": str(path), "settings": settings})
        return exits.ANSWERED
    print(f"{path}{'' if path.exists() else '  (does not exist)'}")
    width = max(len(name) for name, _, _ in rows)
    for name, value, origin in rows:
        print(f"{name:<{width}} {value:<30} {origin}")
    return exits.ANSWERED


def _given(options: Options) -> list[tuple[str, str, str]]:
    """Settings from options and the environment."""
    rows = []
    for name, value, given, variables in (
        ("kubeconfig", options.kubeconfig, "--kubeconfig", ("KUBECONFIG",)),
        ("context", options.context, "--context", ()),
        ("write", "true" if options.write else "", "--write", ()),
        ("state", "", "", ("STANCH_STATE", "XDG_STATE_HOME")),
        ("colours", "", "", ("NO_COLOR",)),
    ):
        set_by = next((each for each in variables if os.environ.get(each)), "")
        origin = given if value else f"${set_by}" if set_by else "default"
        rows.append((name, value or _ELSE[name](options, set_by), origin))
    return rows


_ELSE: Mapping[str, Callable[[Options, str], str]] = {
    "kubeconfig": lambda _, set_by: os.environ.get(set_by, "~/.kube/config"),
    "context": lambda *_: "the current one of the kubeconfig",
    "write": lambda *_: "false",
    "state": lambda options, _: str(options.state),
    "colours": lambda _, set_by: "none" if set_by else "those of the theme",
}
"""The value of a setting without an option."""


def _remapped(config: Config, options: Options) -> Sequence[KeyBinding]:
    from tui.keys import remapped

    return remapped(config.keys, partial(place, options.config))


def _keys(options: Options, output: str) -> int:
    """Every action with its keys, by its name in the settings."""
    actions = _remapped(load_config(options.config), options)
    if output == "json":
        rows = [
            {"screen": each.scope, "action": each.name, "keys": each.key, "about": each.help}
            for each in actions
        ]
        print_document({"schema": "stanch.keys/1", "keys": rows})
        return exits.ANSWERED
    for each in actions:
        print(f"{each.scope or 'anywhere':<9} {each.name:<18} {each.keys:<9} {each.help}")
    return exits.ANSWERED


async def _run(options: Options, output: str) -> int:
    from incident.offline.doctor import examine

    code, rows = exits.ANSWERED, []
    alike: list[Examined] = []
    async for answer in examine(options):
        rows.append(
            {"what": answer.what, "ok": answer.ok, "seen": answer.seen, "required": answer.required}
        )
        if output == "text":
            if alike and _group(answer) != _group(alike[0]):
                _print(alike)
                alike.clear()
            alike.append(answer)
        if answer.ok is not True and answer.required:
            unreached = answer.what == "kubeconfig" or answer.what.startswith("way: ")
            code = exits.UNREACHED if unreached or code == exits.UNREACHED else exits.PARTIAL
    if output == "json":
        print_document({"schema": "stanch.doctor/1", "answers": rows})
    elif alike:
        _print(alike)
    return code


def _group(answer: Examined) -> tuple[str, str]:
    """Answers that are alike share a line; each one that is not ok has its own."""
    kind, _, _ = answer.what.partition(" ")
    return (kind, answer.seen) if answer.ok else (answer.what, "")


def _print(alike: Sequence[Examined]) -> None:
    kind, _, _ = alike[0].what.partition(" ")
    what = ", ".join([alike[0].what, *(each.what.removeprefix(f"{kind} ") for each in alike[1:])])
    what = f"{what:<34} " if len(alike) == 1 else f"{what}: "
    print(f"{_WORD[alike[0].ok]:<3} {what}{alike[0].seen}", flush=True)
