"""What was said to be noted is there, however little space the disk has left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096
SIZES = (*range(0, 24 * PAGE, PAGE), *range(24 * PAGE, 50 * PAGE, 5 * PAGE))
"""Bytes that the disk has left: each page of the file while it matters whether one more is there, up
to the size at which all notes fit. 5 is odd: how a case ends and begins changes with each page."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB where one may be mounted."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("not permitted to mount a tmpfs; tests of the record fake a full disk")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


def test_what_was_noted_on_a_full_disk_is_stored(small_disk: Path) -> None:
    """The way of the screens and that of the command; quit and killed, begun before and on the full
    disk in turn."""
    command = [sys.executable, "-m", "tests.incident.full_disk", small_disk, *SIZES]
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    cases = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(cases) == 2 * len(SIZES)
    assert [case for case in cases if case["lost"]] == []
    begun = [case for case in cases if case["begun"]]
    assert all(case["noted"] >= 25 for case in begun), "the space kept beside the file was not used"
    assert any(not case["noted"] for case in cases if not case["begun"])
