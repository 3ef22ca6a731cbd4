"""`stanch doctor`: can this machine and this account do what stanch needs?"""

from __future__ import annotations

import argparse
import asyncio

from cli import exits
from cli.connection import options_of
from cli.printing import print_document
from incident.options import Options

_WORD = {True: "ok", False: "NO", None: "?"}


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(options_of(arguments, record=False), arguments.output))


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
