from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kube.text import clean
from runbooks.documents import document
from runbooks.judging.judge import named_rules
from runbooks.lint import lint
from runbooks.loader import Library
from runbooks.model import CheckSource, StepKind
from runbooks.parse import parse

GOOD = """---
id: disk-slow
title: The disk is slow
severity: warning
symptoms: [slow disk]
match:
  strong:
    - {finding: node-disk-reclaim-failed, text: The disk is full}
---
## Find out

Look first.

```check
id: ready
question: Is {node} ready?
kind: Node
each: self.status.conditions.exists(c, c.type == "Ready" && c.status == "True")
expected: Ready.
answers:
  pass: Fine. -> done
  fail: Not fine. -> escalate
kubectl: kubectl get node {node} --request-timeout=10s
```

After it.
"""


def test_a_runbook_has_steps_with_lines() -> None:
    runbook, problems = parse(GOOD, Path("disk-slow.md"))
    assert problems == ()
    assert runbook is not None
    (step,) = runbook.steps()
    assert (step.id, step.kind, step.line) == (
        "ready",
        StepKind.CHECK,
        GOOD.splitlines().index("```check") + 1,
    )
    assert step.query is not None
    assert (step.query.source, step.query.kind) == (CheckSource.OBJECTS, "Node")
    assert [(answer.when, answer.means, answer.goto) for answer in step.answers] == [
        ("pass", "Fine.", "done"),
        ("fail", "Not fine.", "escalate"),
    ]
    assert GOOD.splitlines()[step.answers[0].line - 1].strip().startswith("pass:")
    assert runbook.sections[0].text == "Look first.\n\nAfter it."
    assert len(runbook.digest) == 64


@pytest.mark.parametrize(
    ("old", "new", "line_of", "says"),
    [
        ("kind: Node", "knd: Node", "knd: Node", "unknown field 'knd'"),
        ("question: Is {node} ready?\n", "", "```check", "needs the field question"),
        (
            "  pass: Fine. -> done",
            "  pass: Fine. -> done\n  pass: Twice. -> done",
            "  pass: Twice. -> done",
            "twice",
        ),
        ("each: self", "each: [", "each: [", "not valid YAML"),
        (
            "    - {finding: node-disk-reclaim-failed, text: The disk is full}",
            "    - {finding: x}",
            "    - {finding: x}",
            "needs text",
        ),
        ("severity: warning", "severty: warning", "severty: warning", "unknown field 'severty'"),
    ],
)
def test_what_is_broken_is_named_with_its_line(old: str, new: str, line_of: str, says: str) -> None:
    text = GOOD.replace(old, new)
    _, problems = parse(text, Path("x.md"))
    assert any(says in problem.text for problem in problems), problems
    rows = text.splitlines()
    expected = next(number for number, row in enumerate(rows, 1) if row.startswith(line_of))
    assert any(abs(problem.line - expected) <= 1 for problem in problems), (expected, problems)


def test_a_broken_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(GOOD)
    (tmp_path / "bad.md").write_text("---\nid: [\n---\n# x\n")
    (tmp_path / "bytes.md").write_bytes(b"# caf\xe9\n")
    library = Library([tmp_path], own=())
    assert [runbook.id for runbook in library.runbooks] == ["disk-slow"]
    assert sorted(problem.path.name for problem in library.problems) == ["bad.md", "bytes.md"]


@pytest.mark.parametrize("hidden", ["\x1b]52;c;eA==\x07", "\\e[31m", "\\u202e", "\\x9b2J"])
def test_a_page_of_others_carries_no_control_characters(tmp_path: Path, hidden: str) -> None:
    """Written as they are, or as escapes that YAML resolves: a command of it is copied."""
    page = GOOD.replace("title: The disk is slow", f'title: "slow {hidden}"')
    page = page.replace("kubectl: kubectl get", f'kubectl: "kubectl {hidden}get').replace(
        "=10s", '=10s"'
    )
    (tmp_path / "page.md").write_text(page + hidden)
    (runbook,) = Library([tmp_path], own=()).runbooks
    (step,) = runbook.steps()
    for text in (runbook.title, step.kubectl, runbook.sections[0].text):
        assert clean(text) == text
    assert step.kubectl.startswith("kubectl ")


def test_plain_markdown_loads_by_title_and_headings(tmp_path: Path) -> None:
    (tmp_path / "KubeNodeNotReady.md").write_text(
        "---\ntitle: Kube Node Not Ready\nweight: 20\n---\n\n# KubeNodeNotReady\n\n"
        "## Meaning\n\nA node is not ready.\n\n```shell\nkubectl get node\n```\n"
    )
    library = Library([tmp_path], own=())
    (runbook,) = library.runbooks
    assert library.problems == ()
    assert (runbook.plain, runbook.title, runbook.id) == (
        True,
        "Kube Node Not Ready",
        "kubenodenotready",
    )
    assert [section.title for section in runbook.sections] == ["Meaning"]
    assert "kubectl get node" in runbook.sections[0].text
    assert list(runbook.steps()) == []


def test_a_team_overrules_ours_and_a_double_id_is_named(tmp_path: Path) -> None:
    own, team = tmp_path / "own", tmp_path / "team"
    own.mkdir()
    team.mkdir()
    (own / "a.md").write_text(GOOD)
    (team / "b.md").write_text(GOOD.replace("The disk is slow", "Our disk is slow"))
    library = Library([team], own=[own])
    assert [(runbook.title, runbook.origin) for runbook in library.runbooks] == [
        ("Our disk is slow", str(team))
    ]
    (team / "c.md").write_text(GOOD)
    assert library.refresh()
    assert any("as b.md has" in problem.text for problem in library.problems)


def test_two_pages_with_one_id_in_two_folders_both_load(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "KubeNodeNotReady.md").write_text(f"# Of folder {name}\n\nText.\n")
    apart = Library([tmp_path / "one", tmp_path / "two"], own=())
    together = Library([tmp_path], own=())
    for library in (apart, together):
        assert library.problems == ()
        assert {runbook.id: runbook.title for runbook in library.runbooks} == {
            "kubenodenotready": "Of folder two",
            "one/kubenodenotready": "Of folder one",
        }


WORDS = """phrases: [platter trouble]
patterns:
  - shows: sda io stall
    needs: [stall]
    pattern: [io stall, platter]
"""


def test_words_stand_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "disk-slow.md").write_text(GOOD)
    words = tmp_path / "disk-slow.words.yaml"
    words.write_text(WORDS)
    library = Library([tmp_path], own=())
    (runbook,) = library.runbooks
    found = document(runbook)
    assert ("symptom", "platter trouble") in found.phrases
    assert [pattern.expression for pattern in found.patterns] == ["io stall|platter"]
    assert not library.refresh()
    words.write_text(WORDS.replace("trouble", "noise"))
    assert library.refresh()
    assert ("symptom", "platter noise") in document(library.runbooks[0]).phrases


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("io stall, platter", "io (stall", "is not a regular expression"),
        ("io stall, platter", "nothing", "does not match its text"),
        ("needs: [stall]", "needs: [stuck]", "needs names no part"),
        ("shows: sda io stall", "shows: []", "lacks shows"),
        ("phrases:", "phrase:", "unknown field 'phrase'"),
        ("pattern: [io stall, platter]", "", "lacks pattern"),
        ("phrases: [", "phrases: [[", "not valid YAML"),
    ],
)
def test_what_is_wrong_in_a_words_file_is_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    (tmp_path / "disk-slow.md").write_text(GOOD)
    (tmp_path / "disk-slow.words.yaml").write_text(WORDS.replace(old, new))
    problems = lint(Library([tmp_path], own=()))
    assert any(
        says in problem.text and problem.path.name == "disk-slow.words.yaml" for problem in problems
    ), problems


def test_refresh_sees_changes_only(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(GOOD)
    library = Library([tmp_path], own=())
    generation, digest = library.generation, library.runbooks[0].digest
    assert not library.refresh()
    os.utime(path, ns=(1, 1))
    assert not library.refresh(), "a touched file with the same text is no change"
    path.write_text(GOOD.replace("slow disk", "very slow disk"))
    assert library.refresh()
    assert library.generation == generation + 1
    assert library.runbooks[0].digest != digest
    path.unlink()
    assert library.refresh()
    assert library.runbooks == ()


def test_a_missing_folder_is_a_problem_and_no_error(tmp_path: Path) -> None:
    library = Library([tmp_path / "none"], own=())
    assert [problem.text for problem in library.problems] == [
        "is not a folder; give a folder of Markdown files"
    ]


def test_a_body_that_is_parsed_later_is_the_same_body() -> None:
    for now, later in zip(Library().runbooks, Library(later=True).runbooks, strict=True):
        assert (now.id, now.title, now.match, now.digest) == (
            later.id,
            later.title,
            later.match,
            later.digest,
        )
        assert tuple(now.sections) == tuple(later.sections)
        assert [step.id for step in now.steps()] == [step.id for step in later.steps()]


def test_pages_that_are_parsed_later_are_found_by_each_rule_that_they_name() -> None:
    whole, later = Library(), Library(later=True)
    assert later.problems == ()
    assert [page.id for page in later.runbooks] == [page.id for page in whole.runbooks]
    for page in whole.runbooks:
        for rule in named_rules(page):
            assert page.id in [near.id for near in later.naming(*rule)], (page.id, rule)
