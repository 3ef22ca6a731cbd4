"""The user's settings: `config.toml` in the configuration directory. Every setting has a default; a
wrong one is named with its file and line.

runbooks = ["~/team-runbooks"]     # folders of runbooks, beside ~/.config/stanch/runbooks
redact = ["corp-internal-token"]   # strings that are never stored or shown
theme = "light"                    # dark, light, 16 colours, high contrast
notify = "bell"                    # off, bell, osc9, osc777, command: a symptom appears, a wait
                                   # ends, the API returns
notify_command = ["notify-send", "stanch"]   # of "command"; the sentence is its last argument

[contexts.prod-eu1]
read_only = true                   # no change is made there, also with --write
theme = "high contrast"            # production does not look like staging
colour = "red"                     # of the status line: red, green, yellow, blue, magenta, cyan

[keys]                             # anywhere; `stanch config keys` names all actions
note = "ctrl-n"

[keys.runbook]                     # on one screen
skip_step = "K"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

FILE = "config.toml"
Theme = Literal["dark", "light", "16 colours", "high contrast"]
Colour = Literal["red", "green", "yellow", "blue", "magenta", "cyan"]
_PLACE = re.compile(r"`\$?\.?([^`]*)`$|unknown field `([^`]*)`")


class ConfigError(ValueError):
    """The file cannot be used. The message is one sentence: the file, what is wrong, what to
    try."""


class ContextConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one context of the kubeconfig."""

    read_only: bool = False
    theme: Theme | None = None
    colour: Colour | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    runbooks: tuple[str, ...] = ()
    redact: tuple[Annotated[str, msgspec.Meta(min_length=4)], ...] = ()
    """Shorter ones would blank ordinary text."""

    theme: Theme = "dark"
    notify: Literal["off", "bell", "osc9", "osc777", "command"] = "off"
    notify_command: tuple[str, ...] = ()
    contexts: dict[str, ContextConfig] = {}
    keys: dict[str, str | dict[str, str]] = {}
    """Keys by name of the action; those of one screen are in a table of their own. The screens know
    the actions."""


def load_config(directory: Path) -> Config:
    """The settings in `directory`, the defaults when there is no file. Raises `ConfigError`."""
    path = directory / FILE
    text = b""
    try:
        text = path.read_bytes()
        config = msgspec.toml.decode(text, type=Config)
    except FileNotFoundError:
        return Config()
    except msgspec.ValidationError as error:
        line = _line(text.decode("utf-8", "replace"), str(error))
        raise ConfigError(f"{path}{line} cannot be used: {error}; correct or remove it") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be used: {error}; correct or remove it") from error
    if config.notify == "command" and not config.notify_command:
        raise ConfigError(
            f"{place(directory, 'notify')} cannot be used: notify_command names no command"
        )
    return config


def place(directory: Path, *setting: str) -> str:
    """`FILE:LINE` of a setting, such as ("keys", "runbook", "skip_step"); `FILE` when it cannot be
    found."""
    path, table = directory / FILE, ""
    try:
        rows = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return str(path)
    for number, row in enumerate(rows, 1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", row):
            table = _plain(head[1]) + "."
        elif (name := re.match(r"\s*([\w.\"' -]+?)\s*=", row)) and (
            f"{table}{_plain(name[1])}" == ".".join(setting)
        ):
            return f"{path}:{number}"
    return str(path)


def _plain(name: str) -> str:
    return re.sub(r"[\"' ]", "", name)


def _line(text: str, problem: str) -> str:
    """`:3`, the line of the setting that a problem names; "" when it cannot be found."""
    names = [name for match in _PLACE.finditer(problem) for name in match.groups() if name]
    for name in (part for each in names for part in reversed(re.split(r"[.\[\]]+", each)) if part):
        for number, row in enumerate(text.split("\n"), 1):
            if re.match(rf"\s*\[?[\w.\"-]*\b{re.escape(name)}\b", row):
                return f":{number}"
    return ""


def origins(config: Config, directory: Path) -> list[tuple[str, str, str]]:
    """(setting, value, source of the value) for every setting, with each context and key."""
    rows = []
    default, given = msgspec.to_builtins(Config()), msgspec.to_builtins(config)
    for name, value in given.items():
        if isinstance(value, dict):
            rows += [
                (".".join(path), msgspec.json.encode(each).decode(), place(directory, *path))
                for path, each in _leaves((name,), value)
            ]
        else:
            origin = "default" if value == default[name] else place(directory, name)
            rows.append((name, msgspec.json.encode(value).decode(), origin))
    return rows


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The settings of a table that are set."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves((*path, name), each)
    elif value not in (None, False):
        yield path, value
