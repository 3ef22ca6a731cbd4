"""The settings: a wrong one is named with its line, and each says where its value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.config import FILE, Config, ConfigError, load_config, origins

GOOD = 'theme = "light"\n\n[contexts.prod-eu1]\nread_only = true\ntheme = "high contrast"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('runbooks = []\ntheme = "pink"\n', 2),
        ('theme = "light"\n[contexts.prod]\nreadonly = true\n', 3),
        ('notify = "loud"\n', 1),
        ("colour = 1\n", 1),
        ('redact = ["abc"]\n', 1),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=rf"config\.toml:{line} cannot be used"):
        load_config(tmp_path)


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
