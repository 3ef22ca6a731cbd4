"""Opens the write door for probes: it lets pass dry runs, access reviews and objects that are
marked as ours.

With --write also one thing that cannot be removed again: an ephemeral container in a client, when a
human asked for that.
"""

from __future__ import annotations

from cluster.api.mode import Mode, Purpose
from cluster.api.transport import Api
from cluster.api.write import Writer


def probe_writer(api: Api, mode: Mode = Mode.READ_ONLY) -> Writer:
    """A writer that creates and removes a probe's own objects, in both modes of the program."""
    return Writer(api, mode, Purpose.DEBUG_POD)
