"""A cgroup of the lab's own for its pods, so that what they leave can be found and removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.rungs.programs.processes import RungMissing

ROOT = Path("/sys/fs/cgroup")
# then the process id of the owner, so that what a killed test run left can be told from what is in
# use
PREFIX = "stanch-"


def hierarchies() -> list[Path]:
    """The mounted cgroup hierarchies: one on version 2, one for each controller on version 1.
    Raises RungMissing."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    found = [
        folder
        for folder in sorted(ROOT.glob("*"))
        if (folder / "cgroup.procs").exists() and not folder.is_symlink()
    ]
    if not any(folder.name.startswith(("memory", "cpu")) for folder in found):
        raise RungMissing(
            "no cgroup controllers are mounted below /sys/fs/cgroup; a kubelet needs cpu and memory"
        )
    return found


def create(name: str) -> None:
    """Make the cgroup `name` in each hierarchy."""
    for hierarchy in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def sweep() -> None:
    """Remove the empty cgroups of owners that have gone: a test run that was killed could not."""
    for hierarchy in hierarchies():
        for folder in hierarchy.glob(f"{PREFIX}*"):
            owner = folder.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdigit() and not Path("/proc", owner).exists():
                remove(folder.name)


def remove(name: str, limit: float = 10.0) -> None:
    """Remove the cgroup `name` and all below it, waiting up to `limit` seconds for the last
    processes to be gone."""
    deadline = time.monotonic() + limit
    for hierarchy in hierarchies():
        while (hierarchy / name).exists():
            try:
                for folder, _, _ in os.walk(hierarchy / name, topdown=False):
                    os.rmdir(folder)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
