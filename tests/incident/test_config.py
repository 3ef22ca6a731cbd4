"""The settings: a wrong one is named with its line, and each says where its value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.config import FILE, Config, ConfigError, load_config, origins

GOOD = 'theme = "light"\n\n[contexts.prod-eu1]\nread_only = true\ntheme = "high contrast"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('runbooks = []\ntheme = "pink"\n', "2: theme takes dark, light, 16 colours or high contr"),
        ("theme = 3\n", "1: theme takes .*, not 3"),
        ('notify = "loud"\n', '1: notify takes off, bell, osc9, osc777 or command, not "loud"'),
        ('# x\nnotify = "command"\n', "2: notify_command has to name the command"),
        ('notify_command = "x"\n', "1: notify_command takes a list of words"),
        ('runbooks = [\n"~/ours"\n, 3]\n', "1: runbooks takes a list of folders"),
        ("colour = 1\n", "1: there is no setting colour; there are: runbooks, "),
        ("[thing]\na = 1\n", "2: there is no setting thing; there are: "),
        ('thme = "light"\n', "1: there is no setting thme; nearest: theme"),
        (
            "[contexts.prod]\nreadonly = true\n",
            "2: there is no setting readonly; nearest: read_only",
        ),
        (
            '[contexts.a]\nread_only = true\n[contexts."b.c/d"]\nread_only = "yes"\n',
            '4: read_only takes true or false, not "yes"',
        ),
        ('[contexts.a]\ntheme = "dark"\n[contexts.b]\ntheme = "pink"\n', "4: theme takes"),
        ('contexts.prod.colour = "pink"\n', "1: colour takes red, green, "),
        ("[contexts]\nprod = 3\n", "2: contexts takes a table for each context"),
        ("contexts = 3\n", "1: contexts takes a table for each context"),
        ("[keys]\nnote = 3\n", "2: keys takes a key for each action"),
        ("[keys.now]\n\nprobe = 3\n", "3: keys takes a key for each action"),
        ('theme = "dark"\ntheme = "light"\n', "2: not TOML: it stands here for the second time"),
        ('[keys]\nnote = "N"\n[keys]\n', "3: not TOML: it stands here for the second time"),
        ('theme = "dark"\nnotify =\n', "2: not TOML: "),
        ('theme = "dark"\n#\udcff\n', "2: this is not UTF-8"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(ConfigError, match=rf"config\.toml:{problem}"):
        load_config(tmp_path)


def test_a_string_to_redact_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('redact = ["corp-token", "abc"]\n', "utf-8")
    with pytest.raises(ConfigError, match=r"config\.toml:1: redact takes") as caught:
        load_config(tmp_path)
    assert "corp-token" not in str(caught.value)
    (tmp_path / FILE).write_text('redact = ["corp-token"]\n', "utf-8")
    rows = {name: value for name, value, _ in origins(load_config(tmp_path), tmp_path)}
    assert rows["redact"] == "1 string"


def test_each_setting_says_where_its_value_comes_from(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(GOOD, "utf-8")
    config = load_config(tmp_path)
    assert config.contexts["prod-eu1"].theme == "high contrast"
    rows = {name: (value, origin) for name, value, origin in origins(config, tmp_path)}
    assert rows["theme"] == ('"light"', f"{path}:1")
    assert rows["contexts.prod-eu1.read_only"] == ("true", f"{path}:4")
    assert rows["notify"] == ('"off"', "default")
    assert load_config(tmp_path / "nowhere") == Config()
