from __future__ import annotations

from pathlib import Path

import pytest

from actions.catalogue import ACTIONS
from incident.offline import runbooks as offline
from probes.catalogue import PROBES
from runbooks.lint import SECTION_WORDS, KnownNames, lint
from runbooks.loader import OWN, Library
from runbooks.matcher import Matcher
from runbooks.model import SECTIONS
from tests import shipped

ROOT = Path(__file__).parents[2]
STORIES = OWN[0]
CATALOGUE = {path.stem for path in STORIES.glob("*.md")}
NAMES = KnownNames(
    probes=set(PROBES),
    actions=set(ACTIONS),
    drills={path.stem for path in (ROOT / "drills" / "scenarios").glob("*.yaml")},
)


def test_our_library_is_whole() -> None:
    assert [str(problem) for problem in lint(shipped.library(), NAMES)] == []
    assert len(CATALOGUE) == 28
    assert all(
        runbook.guide == (runbook.id not in CATALOGUE) for runbook in shipped.library().runbooks
    )


BASE = (STORIES / "kubelet-memory-leak.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: kubelet-memory-leak", "id: other-id", "differs from the file name"),
        ("severity: critical", "severity: terrible", "must be critical, warning or info"),
        ("-> same-version", "-> nowhere", "leads to 'nowhere'"),
        ("-> section:verify", "-> section:nowhere", "no section of this runbook"),
        ("-> runbook:nodes-notready-system-oom", "-> runbook:nothing", "no such runbook"),
        ("probe: kubelet\n", "probe: guess\n", "no probe 'guess'"),
        ("action: cordon", "action: explode", "no action 'explode'"),
        ("undo: uncordon {node}\n", "", "must state blast and undo"),
        (
            "  done: Restart the kubelet of",
            "  restarted: Restart the kubelet of",
            "only the answer",
        ),
        (
            " --request-timeout=10s\nanswers:\n  found",
            "\nanswers:\n  found",
            "no --request-timeout",
        ),
        (
            "kubectl: kubectl get node {node} --request-timeout=10s",
            "kubectl: kubectl get secret x -o yaml --request-timeout=10s",
            "would print a Secret",
        ),
        ("id: same-version", "id: restart-kubelet", "is also at line"),
        (
            "question: Do all nodes have the same kubelet version?",
            "question: Tell me the version",
            "exactly one question",
        ),
        (
            "question: Do all nodes have the same kubelet version?",
            "question: Is the node {node} of their version?",
            "the node the node",
        ),
        (
            "expected: Each kubelet uses less than 500 MiB, and about the same on all nodes.\n",
            "",
            "lacks expected",
        ),
        (
            "  reached: Continue with",
            "  arrived: Continue with",
            "does not say what 'reached' means",
        ),
        (
            "finding: kubelet-memory-high, step",
            "finding: kubelet-memory-hgh, step",
            "no finding rule",
        ),
        ("{victims: ", "{victors: ", "has no fact 'victors'"),
        ("shared: kubelet version", "shared: shoe size", "no shared attribute"),
        ("step: kubelet-memory, text", "step: nothing, text", "which is no step"),
        ("value: self.status.nodeInfo.kubeletVersion", "value: self.status.(", "not valid CEL"),
        ("deadline: 5m\n", "", "without a deadline"),
        ("## Prevent\n", "## Prevention\n", "lacks the section “Prevent”"),
        (
            "## Prevent\n",
            "## Prevent\n\n" + "word " * (SECTION_WORDS + 1),
            "limit for a tired reader",
        ),
        ("story: ", "# story: ", "lacks story, or source"),
    ],
)
def test_each_fault_is_found_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in BASE
    folder = tmp_path / "own"
    folder.mkdir()
    broken = folder / "kubelet-memory-leak.md"
    broken.write_text(BASE.replace(old, new, 1), "utf-8")
    problems = [problem for problem in lint(Library(own=[folder]), NAMES) if problem.path == broken]
    assert any(says in problem.text for problem in problems), [str(problem) for problem in problems]
    assert all(problem.line >= 1 for problem in problems)


def test_sections_out_of_order(tmp_path: Path) -> None:
    swapped = (
        BASE.replace("## Do not\n", "## Swap\n")
        .replace("## Stop the bleeding\n", "## Do not\n")
        .replace("## Swap\n", "## Stop the bleeding\n")
    )
    (tmp_path / "kubelet-memory-leak.md").write_text(swapped, "utf-8")
    assert any("in this order" in problem.text for problem in lint(Library([tmp_path], own=())))
    assert SECTIONS.index("Stop the bleeding") < SECTIONS.index("Find out"), (
        "mitigation stands before diagnosis"
    )


def test_a_missing_drill_is_named() -> None:
    assert any(
        "no drill" in problem.text
        for problem in lint(shipped.library(), KnownNames(drills=CATALOGUE - {"coredns-oom"}))
    )


def test_two_with_the_same_strong_evidence_need_a_refuting_one(tmp_path: Path) -> None:
    text = "---\nid: {id}\ntitle: T\nmatch:\n  strong:\n"
    text += (
        "    - {{finding: node-pressure, where: {{pressure: disk}}, text: Disk}}\n{more}---\n# T\n"
    )
    (tmp_path / "a.md").write_text(text.format(id="a", more=""))
    (tmp_path / "b.md").write_text(text.format(id="b", more=""))
    assert (
        sum("nothing refutes" in problem.text for problem in lint(Library([tmp_path], own=()))) == 2
    )
    (tmp_path / "b.md").write_text(
        text.format(id="b", more="  refute:\n    - {finding: node-rebooted, text: Rebooted}\n")
    )
    assert not any(
        "nothing refutes" in problem.text for problem in lint(Library([tmp_path], own=()))
    )


def test_plain_markdown_is_not_held_to_our_form(tmp_path: Path) -> None:
    (tmp_path / "KubeNodeNotReady.md").write_text("# KubeNodeNotReady\n\n## Meaning\n\nText.\n")
    assert lint(Library([tmp_path], own=())) == []


def test_the_runbook_of_the_guide_for_authors_is_whole(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    page = text.split("````markdown\n")[1].split("````")[0]
    assert len(page.splitlines()) <= 30
    (tmp_path / "orders-late.md").write_text(page)
    library = Library([tmp_path], own=())
    assert [str(problem) for problem in lint(library, NAMES)] == []
    (runbook,) = library.runbooks
    assert (runbook.guide, [step.id for step in runbook.steps()]) == (True, ["consumers"])
    assert Matcher(library).match_words("OrdersConsumerLag")[0].id == "orders-late"


def test_a_page_of_its_own_folder_may_lead_to_a_bundled_runbook(tmp_path: Path) -> None:
    page = tmp_path / "kubelet-memory-leak.md"
    page.write_text(BASE, "utf-8")
    _, problems = offline.check([page], (), frozenset(CATALOGUE))
    assert [str(each) for each in problems if "no such runbook" in each.text] == []
    page.write_text(BASE.replace("runbook:nodes-notready-system-oom", "runbook:nothing"), "utf-8")
    _, problems = offline.check([page], (), frozenset(CATALOGUE))
    assert [each for each in problems if "no such runbook" in each.text]
