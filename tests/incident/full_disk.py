"""`python -m tests.incident.full_disk FOLDER SIZE ...`: notes on a small disk that has SIZE bytes
left, by the screens' way and by the command's, killed and quit.

FOLDER is an empty file system of its own. Prints one JSON line a case. The parent has no thread and
no record open, so that it can fork.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from cluster.kube.text import clean_uncut
from incident.offline import archive
from incident.options import Options
from incident.record import Record, RecordUnavailable
from timeline.entry import NewEntry
from timeline.journal.journal import Journal
from timeline.summary import ClusterId

NOTES = 50
Acknowledge = Callable[[str], None]


def main(folder: Path, sizes: list[int]) -> None:
    for size, face in product(sizes, ("screens", "command")):
        number = size // 4096 + (face == "command")
        end, begun = ("quit", "killed")[number % 2], number // 2 % 2 == 0
        noted, stored = _case(folder, size, _screens if face == "screens" else _command, end, begun)
        case = {"size": size, "face": face, "end": end, "begun": begun}
        print(json.dumps(case | {"noted": len(noted), "lost": len(noted - stored)}), flush=True)


def _case(
    folder: Path, size: int, write: Callable[[Options, Acknowledge], None], end: str, begun: bool
) -> tuple[set[str], set[str]]:
    """Ids of the notes that were acknowledged, and of all entries that are there afterwards."""
    state, ballast = folder / "state", folder / "ballast"
    options = Options(state=state, config=folder / "config", record=True)
    if begun:
        set(_fork(lambda _: archive.note(options, "before")))
    _fill(ballast, size)
    noted = set(_fork(lambda told: write(options, told), NOTES // 2 if end == "killed" else 0))
    ballast.unlink()
    stored = set(_fork(lambda told: _read(state / "incidents", told)))
    shutil.rmtree(state, ignore_errors=True)
    return noted, stored


def _screens(options: Options, acknowledge: Acknowledge) -> None:
    async def write() -> None:
        record = Record()
        await asyncio.to_thread(record.open, options, ClusterId("prod-eu1", "https://api"))
        for number in range(NOTES):
            entry = record.append(_note(number))
            try:
                acknowledge((await record.recorded(entry)).id)
            except RecordUnavailable:
                continue
        await asyncio.to_thread(record.close)

    asyncio.run(write())


def _command(options: Options, acknowledge: Acknowledge) -> None:
    for number in range(NOTES):
        try:
            acknowledge(archive.note(options, _note(number).text)[1].id)
        except (archive.Error, archive.NotRecorded):
            continue


def _note(number: int) -> NewEntry:
    return NewEntry(kind="note", text=f"note {number}: users report 502s on the marketplace")


def _read(incidents: Path, tell: Acknowledge) -> None:
    for path in incidents.glob("*.db"):
        with Journal.open(path, clean=clean_uncut) as journal:
            assert journal.verify().ok, journal.verify().problems
            for entry in journal.entries():
                tell(entry.id)


def _say(descriptor: int, line: str) -> None:
    os.write(descriptor, f"{line}\n".encode())


def _fork(work: Callable[[Acknowledge], object], kill_after: int = 0) -> Iterator[str]:
    """Lines that `work` tells in a process of its own, which is killed after so many."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            work(lambda line: _say(writing, line))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for number, line in enumerate(lines, 1):
            yield line.strip()
            if number == kill_after:
                os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        raise RuntimeError("the child failed")


def _fill(path: Path, left: int) -> None:
    """Fill the disk but for `left` bytes."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
        file.truncate(max(0, file.tell() - left))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]])
