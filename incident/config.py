"""The user's settings: `config.toml` in the configuration directory. Every setting has a default; a
wrong one is named with its place.

runbooks = ["~/team-runbooks"]     # folders of runbooks, beside ~/.config/stanch/runbooks
redact = ["corp-internal-token"]   # strings that are never stored or shown

[contexts.prod-eu1]
read_only = true                   # no change is made there, also with --write
"""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "config.toml"


class ConfigError(ValueError):
    """The file cannot be used; the message is one sentence with the file, what is wrong and what to
    try."""


class ContextConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one context of the kubeconfig."""

    read_only: bool = False


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    runbooks: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    contexts: dict[str, ContextConfig] = {}


def load_config(directory: Path) -> Config:
    """The settings in `directory`, the defaults when there is no file. Raises `ConfigError`."""
    path = directory / FILE
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Config)
    except FileNotFoundError:
        return Config()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be used: {error}; mend or remove it") from error
