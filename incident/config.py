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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

FILE = "config.toml"
Theme = Literal["dark", "light", "16 colours", "high contrast"]
Colour = Literal["red", "green", "yellow", "blue", "magenta", "cyan"]
Notify = Literal["off", "bell", "osc9", "osc777", "command"]
_ONE_OF = {
    name: f"{', '.join(get_args(values)[:-1])} or {get_args(values)[-1]}"
    for name, values in (("theme", Theme), ("colour", Colour), ("notify", Notify))
}
_TAKES = {
    **_ONE_OF,
    "runbooks": 'a list of folders: ["~/team-runbooks"]',
    "redact": "a list of strings of 4 characters or more",
    "notify_command": 'a list of words: ["notify-send", "stanch"]',
    "read_only": "true or false",
    "contexts": "a table for each context: [contexts.NAME]",
    "keys": "a key for each action, those of one screen in [keys.SCREEN]",
}
"""What each setting takes, in words."""
_TWICE = re.compile(r"Cannot overwrite a value|Cannot declare .* twice")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class ConfigError(ValueError):
    """The file cannot be used. The message is one sentence: the file with its line, what is wrong,
    what to write."""


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
    notify: Notify = "off"
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
        raw = msgspec.toml.decode(text)
    except FileNotFoundError:
        return Config()
    except UnicodeDecodeError as error:
        row = text.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{row}: this is not UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        at = _AT_LINE.search(str(error))
        said = _AT_LINE.sub("", str(error))
        said = _TWICE.sub("it stands here for the second time", said)
        raise ConfigError(f"{path}{f':{at[1]}' if at else ''}: not TOML: {said}") from error
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        setting, problem = next(_problems(raw), ((), str(error)))
        raise ConfigError(f"{place(directory, *setting)}: {problem}") from error
    if config.notify == "command" and not config.notify_command:
        where = place(directory, "notify")
        raise ConfigError(f"{where}: notify_command has to name the command that notifies")
    return config


def _problems(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(setting, what is wrong with it) for each wrong setting."""
    for path, value in _leaves((), raw):
        nested: Any = value
        for name in reversed(path):
            nested = {name: nested}
        try:
            msgspec.convert(nested, Config)
        except msgspec.ValidationError:
            known = ContextConfig if path[0] == "contexts" and len(path) > 2 else Config
            name = path[2] if known is ContextConfig else path[0]
            if name not in known.__struct_fields__:
                import difflib

                near = difflib.get_close_matches(name, known.__struct_fields__, 1)
                there = ", ".join(near or known.__struct_fields__)
                which = "nearest" if near else "there are"
                problem = f"there is no setting {name}; {which}: {there}"
            elif name == "redact":
                problem = f"{name} takes {_TAKES[name]}"
            else:
                given = msgspec.json.encode(value).decode()
                problem = f"{name} takes {_TAKES[name]}, not {given}"
            yield path, problem


def place(directory: Path, *setting: str) -> str:
    """`FILE:LINE` of a setting, such as ("keys", "runbook", "skip_step"), or of the table that it
    is in; `FILE` when neither can be found."""
    path = directory / FILE
    try:
        rows = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return str(path)
    found: dict[str, int] = {}
    table = ""
    for number, row in enumerate(rows, 1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", row):
            table = _plain(head[1])
            found.setdefault(table, number)
        elif name := re.match(r"([^=#]+)=", row):
            found.setdefault(_plain(f"{table}.{name[1]}").strip("."), number)
    for length in range(len(setting), 0, -1):
        if line := found.get(_plain(".".join(setting[:length]))):
            return f"{path}:{line}"
    return str(path)


def _plain(name: str) -> str:
    return re.sub(r"[\"'\s]", "", name)


def origins(config: Config, directory: Path) -> list[tuple[str, str, str]]:
    """(setting, value, source of the value) for every setting, with each context and key. Of
    `redact` only the number: its strings are never shown."""
    rows = []
    default, given = msgspec.to_builtins(Config()), msgspec.to_builtins(config)
    for name, value in given.items():
        if isinstance(value, dict):
            rows += [
                (".".join(path), msgspec.json.encode(each).decode(), place(directory, *path))
                for path, each in _leaves((name,), value)
                if each not in (None, False)
            ]
        else:
            origin = "default" if value == default[name] else place(directory, name)
            shown = msgspec.json.encode(value).decode()
            if name == "redact":
                shown = f"{len(value)} string" + "s" * (len(value) != 1)
            rows.append((name, shown, origin))
    return rows


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The settings of a table that are set."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves((*path, name), each)
    else:
        yield path, value
