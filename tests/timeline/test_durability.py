"""Nothing acknowledged is lost: kill -9, a full disk, a second process, a lock that is held, a file
that is taken away.

Rows T9 and T13 to T15.
"""

from __future__ import annotations

import fcntl
import json
import random
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.kube.text import clean_uncut
from timeline.entry import Entry, NewEntry
from timeline.journal.journal import Journal, JournalError
from timeline.journal.sidecar import RESERVE_BYTES, Sidecar

_ROOT = Path(__file__).parents[2]
_KILLS = 12


def _python(program: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


_WRITE = """
    import sys
    from pathlib import Path
    from cluster.kube.text import clean_uncut
    from timeline.entry import Capture, NewEntry
    from timeline.journal.journal import Journal
    journal = Journal.open(Path(sys.argv[1]), clean=clean_uncut)
    number = 0
    while True:
        intent = journal.append(NewEntry(kind="step-intent", text=f"step {number}"))
        print("intent", intent.id, flush=True)
        result = journal.append(NewEntry(kind="step-result", text="seen", data={"intent_id": intent.intent_id},
                                      captures=(Capture(content=b"x" * 3000 + str(number).encode()),)))
        print("result", result.id, flush=True)
        number += 1
"""


def test_kill_nine_loses_nothing_that_was_acknowledged(journal: Journal) -> None:
    """Killed at a random acknowledgement, again and again: all of them are there, the chain holds,
    and what was interrupted is named."""
    journal.close()
    chance = random.Random(20261121)
    acknowledged: set[str] = set()
    for round_number in range(_KILLS):
        process = _python(_WRITE, journal.path)
        assert process.stdout is not None
        for _ in range(chance.randint(1, 40)):
            word, identifier = process.stdout.readline().split()
            acknowledged.add(identifier)
        process.kill()
        for line in process.stdout.read().splitlines():
            word, _, identifier = line.partition(" ")
            if word in ("intent", "result") and len(identifier) == 26:
                acknowledged.add(identifier)
        process.wait()
        process.stdout.close()
        with Journal.open(journal.path, clean=clean_uncut) as again:
            entries = again.entries()
            assert acknowledged <= {entry.id for entry in entries}
            verification = again.verify()
            assert verification.ok, verification.problems
            open_intents = {entry.intent_id for entry in entries if entry.kind == "step-intent"}
            open_intents -= {entry.intent_id for entry in entries if entry.kind == "step-result"}
            assert {entry.intent_id for entry in again.unfinished()} == open_intents
            assert len(open_intents) <= round_number + 1
    assert len(acknowledged) > _KILLS


def test_two_processes_write_one_gapless_chain(journal: Journal) -> None:
    program = """
        import sys
        from pathlib import Path
        from cluster.kube.text import clean_uncut
        from timeline.entry import NewEntry, Entry
        from timeline.journal.journal import Journal
        with Journal.open(Path(sys.argv[1]), clean=clean_uncut) as journal:
            for number in range(300):
                entry = journal.append(NewEntry(kind="note", text=f"{sys.argv[2]} {number}"))
                assert not entry.pending, journal.health
    """
    processes = [_python(program, journal.path, name) for name in ("left", "right")]
    for number in range(100):
        journal.append(NewEntry(kind="note", text=f"here {number}"))
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    assert sorted(entry.seq for entry in journal.entries()) == list(range(1, 702))
    for name, count in (("left", 300), ("right", 300), ("here", 100)):
        ours = sorted(
            (entry.seq, entry.text) for entry in journal.entries() if entry.text.startswith(name)
        )
        assert [text for _, text in ours] == [f"{name} {number}" for number in range(count)]
    assert journal.verify().ok


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB where we may mount one."""
    directory = tmp_path / "small"
    directory.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], capture_output=True
    ).returncode:
        pytest.skip(
            "not permitted to mount a tmpfs; the file size limit below covers the same path"
        )
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk_sends_entries_to_the_sidecar_and_they_come_back(small_disk: Path) -> None:
    journal = Journal.create(small_disk, "disk full", clean=clean_uncut)
    ballast = small_disk / "ballast"
    _fill(ballast)
    told = []
    for number in range(60):
        entry = journal.append(NewEntry(kind="note", text=f"note {number} " + "x" * 300))
        told.append((entry, journal.health))
    waiting = [entry for entry, _ in told if entry.pending]
    health = journal.health
    assert health.state == "sidecar"
    assert "no space left" in health.reason
    assert health.pending == len(waiting) > 0
    assert [entry.text for entry in journal.entries(kinds=["note"])] == [
        entry.text for entry, _ in told
    ]
    assert {entry.id for entry in waiting} == {
        entry.id for entry in journal.entries() if entry.pending
    }
    ballast.unlink()
    _until(lambda: journal.health.state == "ok")
    assert journal.health.pending == 0
    stored = journal.entries(kinds=["note"])
    assert [entry.id for entry in stored] == [entry.id for entry, _ in told]
    assert not any(entry.pending for entry in stored)
    assert journal.verify().ok
    journal.close()


def test_when_even_the_sidecar_is_full_the_caller_is_told(small_disk: Path) -> None:
    journal = Journal.create(small_disk, "disk full", clean=clean_uncut)
    ballast = small_disk / "ballast"
    _fill(ballast)
    kept: list[Entry] = []
    with pytest.raises(JournalError, match="NOT RECORDED"):
        _write_until_refused(journal, kept)
    assert journal.health.state == "failing"
    ballast.unlink()
    _until(lambda: journal.health.state == "ok")
    assert {entry.id for entry in kept} <= {
        entry.id for entry in journal.entries() if not entry.pending
    }
    assert journal.verify().ok
    journal.close()


def _write_until_refused(journal: Journal, kept: list[Entry]) -> None:
    for number in range(2000):
        kept.append(journal.append(NewEntry(kind="note", text=f"note {number} " + "x" * 2000)))


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def test_a_file_size_limit_is_a_full_disk_too(tmp_path: Path) -> None:
    """The same on machines where nothing may be mounted: the process may not let its files grow."""
    program = """
        import json, resource, sys
        from pathlib import Path
        from cluster.kube.text import clean_uncut
        from timeline.entry import NewEntry, Entry
        from timeline.journal.journal import Journal
        journal = Journal.create(Path(sys.argv[1]), "limited", clean=clean_uncut)
        limit = journal.path.stat().st_size + 200_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        ids = []
        while journal.health.state == "ok" and len(ids) < 500:
            ids.append(journal.append(NewEntry(kind="note", text="x" * 1000)).id)
        ids.append(journal.append(NewEntry(kind="note", text="one more")).id)
        print(json.dumps([journal.health.state, journal.health.reason, journal.health.pending, ids]), flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.close()
    """
    process = _python(program, tmp_path / "incidents")
    out, _ = process.communicate(timeout=60)
    state, reason, pending, ids = json.loads(out)
    assert process.returncode == 0
    assert (state, pending) == ("sidecar", 2)
    assert "2026" in reason or ".db" in reason
    with Journal.open_read_only(
        next((tmp_path / "incidents").glob("*.db")), clean=clean_uncut
    ) as journal:
        assert [entry.id for entry in journal.entries(kinds=["note"])] == ids
        assert not any(entry.pending for entry in journal.entries())
        assert journal.verify().ok
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY


def test_a_lock_that_is_held_does_not_stop_the_record(journal: Journal) -> None:
    journal.close()
    told: list[Any] = []
    journal = Journal.open(journal.path, patience=0.2, on_health=told.append, clean=clean_uncut)
    with journal.path.with_suffix(".lock").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        entry = journal.append(NewEntry(kind="note", text="taken down all the same"))
        assert entry.pending
        assert "locked by another process" in journal.health.reason
    _until(lambda: journal.health.state == "ok")
    assert [health.state for health in told] == ["sidecar", "ok"]
    assert [(kept.id, kept.pending) for kept in journal.entries(kinds=["note"])] == [
        (entry.id, False)
    ]
    journal.close()


def test_opening_while_the_lock_is_held_records_beside_the_file(journal: Journal) -> None:
    journal.close()
    seen: list[Entry] = []
    with journal.path.with_suffix(".lock").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        held = Journal.open(journal.path, clean=clean_uncut, patience=0.1, on_stored=seen.extend)
        assert "locked by another process" in held.health.reason
        assert [entry.kind for entry in seen] == ["incident-opened"]
        kept = held.append(NewEntry(kind="note", text="taken down all the same"))
        assert kept.pending
        with Journal.open_read_only(journal.path, clean=clean_uncut) as reader:
            assert [entry.id for entry in reader.entries()][1:] == [kept.id]
    _until(lambda: held.health.state == "ok")
    assert [entry.seq for entry in held.entries()] == [1, 2]
    assert [entry.seq for entry in seen] == [1, 0, 2]
    held.close()


def test_what_a_dead_process_left_is_merged_once(journal: Journal) -> None:
    with journal.path.with_suffix(".lock").open("rb+") as other:
        journal.close()
        journal = Journal.open(journal.path, patience=0.1, clean=clean_uncut)
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = journal.append(NewEntry(kind="note", text="left behind"))
        left = Sidecar(journal.path).path.read_bytes()
        journal.close()
    # The process died between commit and emptying the file, inside a line, and a bit rotted.
    with Journal.open(journal.path, clean=clean_uncut) as again:
        assert [entry.id for entry in again.entries(kinds=["note"])] == [waiting.id]
    Sidecar(journal.path).path.write_bytes(left + b'{"entry": broken}\n' + left[:40])
    with Journal.open(journal.path, clean=clean_uncut) as again:
        assert [entry.id for entry in again.entries(kinds=["note"])] == [waiting.id]
        assert again.verify().ok
    assert Sidecar(journal.path).path.read_bytes() == b"\n" * RESERVE_BYTES
    assert Sidecar(journal.path).rejected.read_bytes().splitlines() == [
        b'{"entry": broken}',
        left[:40],
    ]


def test_a_line_after_a_torn_one_is_whole(journal: Journal) -> None:
    sidecar = Sidecar(journal.path)
    entry = journal.append(NewEntry(kind="note", text="x"))
    sidecar.path.write_bytes(b'{"entry":{"id')
    sidecar.append(entry, [])
    assert [kept.id for kept, _ in sidecar.entries()] == [entry.id]


def test_a_file_taken_away_is_noticed(journal: Journal) -> None:
    aside = journal.path.with_suffix(".aside")
    journal.path.rename(aside)
    entry = journal.append(NewEntry(kind="note", text="written into nothing?"))
    assert entry.pending
    assert journal.health.state == "sidecar"
    aside.rename(journal.path)
    _until(lambda: journal.health.state == "ok")
    assert journal.entries(kinds=["note"])[0].seq == 2
    assert journal.verify().ok


def test_closing_while_entries_wait_keeps_them(journal: Journal) -> None:
    journal.close()
    journal = Journal.open(journal.path, patience=0.1, clean=clean_uncut)
    with journal.path.with_suffix(".lock").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        identifier = journal.append(NewEntry(kind="note", text="wait")).id
        journal.close()
    assert [entry.id for entry, _ in Sidecar(journal.path).entries()] == [identifier]
    with Journal.open_read_only(journal.path, clean=clean_uncut) as reader:
        assert [(entry.id, entry.pending) for entry in reader.entries(kinds=["note"])] == [
            (identifier, True)
        ]
    with Journal.open(journal.path, clean=clean_uncut) as again:
        assert [(entry.id, entry.pending) for entry in again.entries(kinds=["note"])] == [
            (identifier, False)
        ]


def test_append_is_quick(journal: Journal) -> None:
    """Most entries are on disk within two milliseconds; the bound here leaves room for a busy
    machine."""
    seconds = []
    for number in range(200):
        begin = time.perf_counter()
        journal.append(
            NewEntry(
                kind="observation",
                text=f"Pod shop/market-{number} was OOMKilled 3 times",
                data={"severity": "warning"},
            )
        )
        seconds.append(time.perf_counter() - begin)
    seconds.sort()
    print(
        f"append: p50 {seconds[100] * 1000:.2f} ms, p95 {seconds[190] * 1000:.2f} ms, p99 "
        f"{seconds[198] * 1000:.2f} ms"
    )
    assert seconds[100] < 0.1
