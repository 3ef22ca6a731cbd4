"""`make quick` finds the tests that reach a changed module, the nearest first."""

from __future__ import annotations

from tests.quick import distances, imports_of, is_pure


def test_imports_are_found_with_the_names_taken_from_them() -> None:
    source = "import a.b\nfrom c.d import e\nif x:\n    from f import g as h\n"
    assert imports_of(source) == {"a.b", "c.d", "c.d.e", "f", "f.g"}


def test_the_nearest_users_come_first() -> None:
    imported_by = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": {"a"}}
    assert distances(["a"], imported_by) == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert distances(["z"], imported_by) == {"z": 0}


def test_a_server_a_process_or_a_screen_is_not_pure() -> None:
    sources = {
        "tests.test_a": "from triage.facts import rules\ndef test_it(tmp_path): ...",
        "tests.test_b": "def test_it(drill_cluster): ...",
        "tests.test_c": "import subprocess",
        "tests.pilot": "async def shown():\n    async with app.run_test(): ...",
        "tests.test_d": "from tests.pilot import shown",
        "tests.test_e": "from tests.helper import data",
        "tests.helper": "from tests.pilot import shown",
        "tests.test_f": "from tests.data import data",
        "tests.data": "import json",
    }
    assert [name for name in sources if is_pure(name, sources)] == [
        "tests.test_a",
        "tests.test_f",
        "tests.data",
    ]
