"""Opens the write door for probes: it lets pass dry runs, access reviews and objects that are marked as ours, and nothing else."""

from __future__ import annotations

from cluster.mode import Mode, Purpose
from cluster.transport import Api
from cluster.write import Writer


def probe_writer(api: Api) -> Writer:
    """A writer that creates and removes a probe's own objects, whatever the mode of the program."""
    return Writer(api, Mode.READ_ONLY, Purpose.DEBUG_POD)
