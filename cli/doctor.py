"""`stanch doctor`: can this machine and this account do what stanch needs?

`stanch config show`: how it is set."""

from __future__ import annotations

import argparse
import asyncio

from cli import exits
from cli.connection import options_of
from cli.exits import Refusal
from cli.printing import print_document
from incident.config import FILE, ConfigError, load_config, origins
from incident.options import Options, config_directory

_WORD = {True: "ok", False: "NO", None: "?"}


def run(arguments: argparse.Namespace) -> int:
    if arguments.command == "config":
        return _settings(arguments.output)
    return asyncio.run(_run(options_of(arguments, record=False), arguments.output))


def _settings(output: str) -> int:
    """Every setting, its value, and where that comes from."""
    path = config_directory() / FILE
    try:
        rows = origins(load_config(path.parent), path)
    except ConfigError as error:
        raise Refusal(str(error)) from error
    if output == "json":
        settings = [{"name": name, "value": value, "from": origin} for name, value, origin in rows]
        print_document({"schema": "stanch.config/1", "file": str(path), "settings": settings})
        return exits.ANSWERED
    print(f"{path}{'' if path.exists() else '  (does not exist)'}")
    for name, value, origin in rows:
        print(f"{name:<10} {value:<30} {'file' if origin == str(path) else origin}")
    return exits.ANSWERED


async def _run(options: Options, output: str) -> int:
    from incident.offline.doctor import examine

    code, rows = exits.ANSWERED, []
    async for answer in examine(options):
        rows.append(
            {"what": answer.what, "ok": answer.ok, "seen": answer.seen, "required": answer.required}
        )
        if output == "text":
            print(f"{_WORD[answer.ok]:<3} {answer.what:<34} {answer.seen}", flush=True)
        if answer.ok is not True and answer.required:
            unreached = answer.what == "kubeconfig" or answer.what.startswith("way: ")
            code = exits.UNREACHED if unreached or code == exits.UNREACHED else exits.PARTIAL
    if output == "json":
        print_document({"schema": "stanch.doctor/1", "answers": rows})
    return code
