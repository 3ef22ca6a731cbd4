"""Characters that a terminal without UTF-8 cannot show."""

from __future__ import annotations

import pytest

from text.ascii import ERRORS, charset, in_ascii
from text.width import cells


def test_what_is_replaced_takes_as_many_cells() -> None:
    text = "━━ now ─ “web” → 東京 …\u0301│›●"
    assert in_ascii(text) == '-- now - "web" > ???? ~|>*'
    assert len(in_ascii(text)) == cells(text)


def test_only_what_the_charset_lacks_is_replaced() -> None:
    assert "Zoë ─ 東".encode("latin-1", ERRORS) == b"Zo\xeb - ??"
    assert "Zoë ─".encode("ascii", ERRORS) == b"Zo? -"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "utf-8"),
        ({"LANG": "en_GB.UTF-8"}, "utf-8"),
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8"),
        ({"LC_CTYPE": "POSIX"}, "ascii"),
    ],
)
def test_a_locale_without_a_charset_is_ascii(environment: dict[str, str], expected: str) -> None:
    assert charset(environment, "utf-8") == expected
    assert charset({}, "iso8859-1") == "iso8859-1"
