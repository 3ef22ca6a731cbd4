"""Text from a journal is cleaned by the function that the journal was opened with."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import timeline
from cluster.kube.text import clean_uncut
from timeline.entry import Capture, NewEntry, ObjectRef
from timeline.journal.evidence import store_form
from timeline.journal.journal import Journal
from timeline.journal.preparation import TEXT
from timeline.journal.rows import from_foreign_row, to_row
from timeline.journal.storage import ENTRY_COLUMNS
from timeline.redaction.clean import clean_line, clean_value
from timeline.redaction.redact import Redactor

HOSTILE = "\x1b[31mred\x1b[0m \u202eevil \u00ad\u180e\u200b\x85next \x07"
INERT = "red evil \nnext \\x07"


def test_lines_and_values() -> None:
    assert clean_line(" a\n\tb\x1b[0m  c ", clean_uncut) == "a b c"
    assert clean_value({"\x1b[1mk": ["\x07", 1, None, True, 2.5, float("inf")]}, clean_uncut) == {
        "k": ["\\x07", 1, None, True, 2.5, "inf"]
    }


def test_a_journal_cleans_all_of_a_draft(new_journal: Callable[..., Journal]) -> None:
    journal = new_journal()
    entry = journal.append(
        NewEntry(
            kind="note",
            text=HOSTILE,
            actor=HOSTILE,
            object=ObjectRef(kind="Pod", namespace="n", name=HOSTILE),
            data={HOSTILE: [HOSTILE]},
            captures=(Capture(content=HOSTILE.encode(), source=HOSTILE),),
        )
    )
    folded = " ".join(INERT.split())
    assert entry.text == INERT
    assert entry.actor == folded
    assert entry.object is not None
    assert entry.object.name == folded
    assert entry.data[INERT] == [INERT]
    blob = journal.evidence(entry.evidence[0])
    assert blob is not None
    assert blob.text == INERT


def test_text_is_kept_whole_up_to_its_bound(new_journal: Callable[..., Journal]) -> None:
    journal = new_journal()
    for length in (TEXT, TEXT + 1):
        stored = journal.append(NewEntry(kind="note", text="x" * length)).text
        assert stored.startswith("x" * TEXT)
        assert (stored == "x" * length) == (length <= TEXT)


@pytest.mark.parametrize("hidden", [r"\\u001b[2J", r"\\b", r"\\f", r"a\\rfake", r"\\u202e"])
def test_escapes_in_the_json_of_a_foreign_record_are_cleaned(
    hidden: str, new_journal: Callable[..., Journal]
) -> None:
    """JSON hides control characters behind escapes, in `data` and in every other column of it."""
    journal = new_journal()
    entry = journal.append(NewEntry(kind="note", text="x"))
    row = to_row(entry) | {
        "data": f'{{"{hidden}": "{hidden}"}}',
        "evidence": f'["{hidden}"]',
        "redactions": f'{{"{hidden}": 1}}',
    }
    found = from_foreign_row([row[name] for name in ENTRY_COLUMNS], clean_uncut)
    for text in (*found.data, *found.data.values(), *found.evidence, *found.redactions):
        assert clean_uncut(text) == text


def test_a_large_document_is_redacted_by_structure_before_it_is_cut() -> None:
    env = [{"name": f"V{n}", "value": f"plum-{n}"} for n in range(40_000)]
    content = json.dumps({"spec": {"env": env}}).encode()
    blob, _, counts = store_form(Capture(content=content, source="x"), Redactor(b"k", clean_uncut))
    assert blob.truncated
    assert counts == {"ENV": 40_000}
    assert b"plum-" not in (blob.content or b"")


def test_the_rule_is_written_in_one_place() -> None:
    """No module of `timeline` names a control, bidirectional or invisible character of its own."""
    root = Path(timeline.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value == clean_uncut(node.value) or not (
                    set(node.value) - set(clean_uncut(node.value)) - {"\r"}
                ), f"{path.name}:{node.lineno}"
