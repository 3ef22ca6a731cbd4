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
    assert is_pure("from triage.facts import rules\ndef test_it(tmp_path): ...")
    assert not is_pure("def test_it(drill_cluster): ...")
    assert not is_pure("import subprocess")
    assert not is_pure("async def test_it():\n    async with app.run_test(): ...")
