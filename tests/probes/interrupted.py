"""A probe run that is killed: `python -m tests.probes.interrupted KUBECONFIG LEDGER ROW FROM TO`;
dies after ROW ledger rows."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from probes import catalogue
from tests.probes.fileledger import FileLedger
from tests.probes.real import real_context


async def main(kubeconfig: str, ledger: str, row: str, source: str, target: str) -> None:
    async with real_context(kubeconfig, FileLedger(Path(ledger), int(row))) as context:
        plan = await catalogue.plan("connectivity", context, {"from": source, "to": target})
        await catalogue.run(plan, context)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
