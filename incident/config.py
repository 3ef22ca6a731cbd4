"""The user's settings: `config.toml` in the configuration directory. Every setting has a default; a
wrong one is named with its place.

runbooks = ["~/team-runbooks"]     # folders of runbooks, beside ~/.config/stanch/runbooks
redact = ["corp-internal-token"]   # strings that are never stored or shown
theme = "light"                    # dark, light, 16 colours, high contrast
notify = "bell"                    # off, bell, osc9, osc777: a symptom appears, the API returns

[contexts.prod-eu1]
read_only = true                   # no change is made there, also with --write
theme = "high contrast"            # production does not look like staging
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

FILE = "config.toml"
Theme = Literal["dark", "light", "16 colours", "high contrast"]
_PLACE = re.compile(r"`\$?\.?([^`]*)`$|unknown field `([^`]*)`")


class ConfigError(ValueError):
    """The file cannot be used; the message is one sentence with the file, what is wrong and what to
    try."""


class ContextConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one context of the kubeconfig."""

    read_only: bool = False
    theme: Theme | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    runbooks: tuple[str, ...] = ()
    redact: tuple[Annotated[str, msgspec.Meta(min_length=4)], ...] = ()
    """Shorter ones would blank ordinary text."""

    theme: Theme = "dark"
    notify: Literal["off", "bell", "osc9", "osc777"] = "off"
    contexts: dict[str, ContextConfig] = {}


def load_config(directory: Path) -> Config:
    """The settings in `directory`, the defaults when there is no file. Raises `ConfigError`."""
    path = directory / FILE
    text = b""
    try:
        text = path.read_bytes()
        return msgspec.toml.decode(text, type=Config)
    except FileNotFoundError:
        return Config()
    except msgspec.ValidationError as error:
        line = _line(text.decode("utf-8", "replace"), str(error))
        raise ConfigError(f"{path}{line} cannot be used: {error}; mend or remove it") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be used: {error}; mend or remove it") from error


def _line(text: str, problem: str) -> str:
    """`:3` for the line of the setting that a problem names, "" when it cannot be found."""
    names = [name for match in _PLACE.finditer(problem) for name in match.groups() if name]
    for name in (part for each in names for part in reversed(re.split(r"[.\[\]]+", each)) if part):
        for number, row in enumerate(text.split("\n"), 1):
            if re.match(rf"\s*\[?[\w.\"-]*\b{re.escape(name)}\b", row):
                return f":{number}"
    return ""


def origins(config: Config, path: Path) -> list[tuple[str, str, str]]:
    """(setting, value, where it comes from) of every setting."""
    rows = []
    default, given = msgspec.to_builtins(Config()), msgspec.to_builtins(config)
    for name, value in given.items():
        origin = "default" if value == default[name] else str(path)
        rows.append((name, msgspec.json.encode(value).decode(), origin))
    return rows
