"""Options of an investigation: the cluster, the rights, the place of the record."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import platformdirs


def state_directory() -> Path:
    """Where incidents are kept: $STANCH_STATE, else $XDG_STATE_HOME/stanch, else
    ~/.local/state/stanch."""
    explicit = os.environ.get("STANCH_STATE")
    if explicit:
        return Path(explicit)
    return platformdirs.user_state_path("stanch")


def config_directory() -> Path:
    """The user's settings and runbooks: $XDG_CONFIG_HOME/stanch, else ~/.config/stanch."""
    return platformdirs.user_config_path("stanch")


class Options(msgspec.Struct, frozen=True):
    kubeconfig: str = ""
    """One path, or several joined by the path separator; "" means $KUBECONFIG, ~/.kube/config or
    the pod's own account."""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    """Empty: all namespaces."""
    write: bool = False
    runbook_folders: tuple[Path, ...] = ()
    incident: str = ""
    """Id of the incident to continue; "new" for a new one; "" continues today's open incident of
    this context, or begins one."""
    state: Path = msgspec.field(default_factory=state_directory)
    config: Path = msgspec.field(default_factory=config_directory)
    record: bool = True
    """False: answer only and keep no record (one-shot triage)."""
    once: bool = False
    """One answer when everything has been read, instead of a view that stays live."""
    idle: bool = False
    """Connect to nothing and keep no record, until a context or an incident is chosen."""
    drill: str = ""
    """Id of the drill that is played, "" on a real cluster."""
    page: str = ""
    """What a person was paged with, "TITLE: TEXT": a new incident has that title and begins with
    it; "" without a page."""


def runbook_folders(given: tuple[Path, ...] = (), config: Path | None = None) -> tuple[Path, ...]:
    """The team's folders in rising precedence: `runbooks` beside the settings where it exists,
    those of the settings, those given.

    Raises `incident.config.ConfigError`.
    """
    from incident.config import load_config

    directory = config or config_directory()
    own = directory / "runbooks"
    named = (Path(folder).expanduser() for folder in load_config(directory).runbooks)
    return (*((own,) if own.is_dir() else ()), *named, *given)
