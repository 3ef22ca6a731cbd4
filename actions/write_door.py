"""Opens the write door for actions. Whether it lets a change pass is the door's own decision: only
when started with --write."""

from __future__ import annotations

from cluster.api.mode import Mode
from cluster.api.transport import Api
from cluster.api.write import Writer


def action_writer(api: Api, mode: Mode) -> Writer:
    """A writer without a purpose of its own: the gate names it with each call."""
    return Writer(api, mode)
