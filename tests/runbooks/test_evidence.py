"""Runbooks by findings: what makes a match confident, raises it, lowers it, or is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from cluster.kube.objects import Ref
from runbooks.judging.facts import fits
from runbooks.judging.judge import judge
from runbooks.loader import Library
from runbooks.matcher import Matcher
from runbooks.model import Weight
from runbooks.parse import parse
from runbooks.ranking.evidence import EvidenceRanking
from tests import shipped
from triage.facts.finding import (
    ChangeFact,
    Finding,
    Report,
    Severity,
    SharedAttribute,
    SinceSource,
    Symptom,
)
from triage.logs.sentences import CLASSES

MATCHER = shipped.matcher()
AT = datetime(2026, 11, 21, 3, 2, tzinfo=UTC)


def finding(rule: str, name: str = "n1", kind: str = "Node", **facts: Any) -> Finding:
    return Finding(
        f"{rule}:{kind}//{name}",
        rule,
        Ref(kind, "", name),
        f"{rule} on {name}",
        Severity.CRITICAL,
        "r",
        AT,
        SinceSource.EVENT,
        (),
        facts,
    )


PAGE = """---
id: b
title: B
match:
  strong:
    - {finding: oom, where: {count: ">=2"}, step: look, text: Memory ran out}
    - text: Both
      all:
        - {finding: left}
        - any: [{finding: right}, {finding: other}]
  support:
    - {finding: hot, text: Hot, step: look}
    - {change: rollout, within: 1h, text: Rolled out}
    - {shared: node, text: One node}
    - {finding: restart, count: 2, same: node, text: Restarts together}
  refute:
    - {finding: reboot, text: Rebooted}
---
# B
"""
BOOK, _ = parse(PAGE, Path("b.md"))


def symptom(
    *findings: Finding,
    changes: tuple[ChangeFact, ...] = (),
    shared: tuple[SharedAttribute, ...] = (),
) -> Symptom:
    return Symptom(
        "s1",
        "t",
        Severity.CRITICAL,
        AT,
        tuple(one.object for one in findings),
        findings,
        shared,
        changes,
    )


def report(*symptoms: Symptom) -> Report:
    found = tuple(one for item in symptoms for one in item.findings)
    return Report(
        AT, True, (), symptoms, found, tuple(change for item in symptoms for change in item.changes)
    )


def test_a_strong_condition_makes_it_confident_and_support_raises_it() -> None:
    assert BOOK is not None
    strong = judge(BOOK, symptom(finding("oom", count=4)))
    assert (strong.score, strong.confident) == (0.7, True)
    assert strong.for_[0].text == "Memory ran out: oom on n1"
    assert strong.for_[0].findings == ("oom:Node//n1",)
    assert ("Hot", "look") in [(reason.text, reason.step) for reason in strong.missing]
    shared = (SharedAttribute("node", "n1", (7, 7), (0, 41), 0.001),)
    change = ChangeFact(
        AT - timedelta(minutes=10), "rollout of x", Ref("Deployment", "a", "x"), "rollout"
    )
    more = judge(
        BOOK, symptom(finding("oom", count=4), finding("hot"), changes=(change,), shared=shared)
    )
    assert more.score > strong.score
    assert [reason.text.split(":")[0] for reason in more.for_] == [
        "Memory ran out",
        "Hot",
        "Rolled out",
        "One node",
    ]


def test_without_a_strong_condition_it_is_only_worth_ruling_out() -> None:
    assert BOOK is not None
    weak = judge(BOOK, symptom(finding("hot"), finding("oom", count=1)))
    assert not weak.confident
    assert 0 < weak.score <= 0.4


GENERAL, _ = parse(
    """---
id: g
title: G
match:
  strong:
    - {finding: oom, where: {victim: runtime}, text: The runtime was killed}
    - {finding: down, weight: 0.45, text: A node is down}
    - {finding: full, weight: 0.45, text: A disk is full}
    - {finding: oom, weight: 0.45, text: Memory ran out}
  support:
    - {finding: growing, weight: 0.3, text: It grows}
    - {finding: hot, text: Hot}
    - {change: rollout, weight: 0.5, text: Rolled out}
    - {shared: node, weight: 0.5, text: One node}
---
# G
""",
    Path("g.md"),
)


def test_signs_that_several_causes_have_never_make_a_runbook_sure() -> None:
    assert GENERAL is not None
    shared = (SharedAttribute("node", "n1", (7, 7), (0, 41), 0.001),)
    change = ChangeFact(AT, "rollout of x", Ref("Deployment", "a", "x"), "rollout")
    signs = [finding("down"), finding("full"), finding("oom"), finding("hot")]
    many = judge(GENERAL, symptom(*signs, changes=(change,), shared=shared))
    assert not many.confident
    assert 0.4 < many.score < 0.5
    away = symptom(finding("growing", "n2"))
    here = symptom(finding("down"))
    assert not judge(GENERAL, here, report(here, away)).confident, "not of this symptom"
    assert judge(GENERAL, symptom(finding("down"), finding("growing"))).confident
    assert judge(GENERAL, symptom(finding("oom", victim="runtime"))).confident


def test_one_finding_counts_once_however_many_conditions_it_meets() -> None:
    assert GENERAL is not None
    once = judge(GENERAL, symptom(finding("oom", victim="runtime")))
    assert once.score == 0.7
    assert once.for_[0].text == "The runtime was killed; Memory ran out: oom on n1"
    assert judge(GENERAL, symptom(finding("oom", victim="runtime"), finding("down"))).score > 0.7


def test_refutation_is_shown_and_lowers() -> None:
    assert BOOK is not None
    refuted = judge(BOOK, symptom(finding("oom", count=4), finding("reboot")))
    assert not refuted.confident
    assert [reason.text for reason in refuted.against] == ["Rebooted: reboot on n1"]


def test_old_changes_do_not_count() -> None:
    assert BOOK is not None
    old = ChangeFact(
        AT - timedelta(hours=3), "rollout of x", Ref("Deployment", "a", "x"), "rollout"
    )
    assert len(judge(BOOK, symptom(finding("oom", count=4), changes=(old,))).for_) == 1


def test_all_needs_all_and_one_of_them_here() -> None:
    assert BOOK is not None
    assert not judge(BOOK, symptom(finding("left"))).confident
    assert judge(BOOK, symptom(finding("left"), finding("other"))).confident
    here, there = symptom(finding("left")), symptom(finding("right", "n2"))
    assert judge(BOOK, here, report(here, there)).confident, (
        "the second part may be elsewhere in the cluster"
    )
    away = symptom(finding("hot"))
    assert not judge(BOOK, away, report(away, here, there)).confident


def test_same_counts_the_largest_group() -> None:
    assert BOOK is not None
    apart = judge(
        BOOK, symptom(finding("restart", "p1", node="a"), finding("restart", "p2", node="b"))
    )
    assert apart.for_ == ()
    together = judge(
        BOOK,
        symptom(
            finding("restart", "p1", node="a"),
            finding("restart", "p2", node="a"),
            finding("restart", "p3", node="b"),
        ),
    )
    assert len(together.for_[0].findings) == 2


@pytest.mark.parametrize(
    ("wanted", "fact", "good"),
    [
        ("x", "x", True),
        ("x", "y", False),
        (["x", "y"], "y", True),
        (">=3", 3, True),
        (">=3", 2, False),
        ("<3", 2.5, True),
        (">=1", True, False),
        ("~^do", "Docker", True),
        ("!x", "y", True),
        ("!x", None, False),
        (True, True, True),
        (True, 1, False),
        (False, False, True),
        ("present", "", False),
        ("present", ("a",), True),
        ("a", ("b", "a"), True),
        (3, 3, True),
        ("present", None, False),
    ],
)
def test_facts(wanted: Any, fact: Any, good: bool) -> None:
    assert fits(wanted, fact) is good


def test_words_and_evidence_together() -> None:
    seen = report(
        symptom(
            finding(
                "node-system-oom",
                count=4,
                victim_runtime=False,
                victim_kubelet=False,
                no_limit_owners=("Deployment logging/elastalert",),
            )
        )
    )
    alone = MATCHER.match("", seen)
    assert alone[0].id == "nodes-notready-system-oom"
    assert alone[0].confident
    told = MATCHER.match("nodes go NotReady one after another", seen)
    assert told[0].id == alone[0].id, "the page that the words name and the cluster shows"
    words = MATCHER.match("nodes run out of memory and go NotReady one by one", seen)
    without = MATCHER.match("nodes run out of memory and go NotReady one by one", None)
    assert words[0].id == without[0].id == "nodes-notready-system-oom"
    assert words[0].score > without[0].score
    assert MATCHER.match("", None) == []
    other = MATCHER.match("kubelet memory leak", seen)
    assert other[0].id == "kubelet-memory-leak", "what the human says comes first"
    page = MATCHER.match("the site is not as usual since lunch", seen)
    rated = next(one for one in page if one.id == alone[0].id)
    assert rated.score == alone[0].score, "words that fit no page leave what the evidence says"
    assert not rated.confident


def test_the_page_of_the_symptom_that_the_words_tell_stands_above_pages_of_words_alone() -> None:
    """`scheduler does not work` is said by words; the quota is seen in the symptom they tell."""
    used_up = finding(
        "create-failed", cause="quota", resource="pods", used="10", hard="10", quota="team"
    )
    shown = replace(symptom(used_up), title="quota team used up: web cannot create pods")
    text = "the scheduler does not work, web cannot create pods"
    sure = next(match for match in MATCHER.match("", report(shown)) if match.confident)
    assert MATCHER.match_words(text)[0].id != sure.id
    first = MATCHER.match(text, report(shown))[0]
    assert (first.id, first.confident) == (sure.id, True)
    assert first.score >= sure.score
    elsewhere = MATCHER.match("kube-scheduler is down", report(shown))[0]
    assert elsewhere.id != sure.id, "words of something else come first"


def test_words_alone_are_not_sure_beside_a_page_of_which_the_cluster_is_sure() -> None:
    oom = finding(
        "node-system-oom",
        count=4,
        victim_runtime=False,
        victim_kubelet=False,
        no_limit_owners=("Deployment logging/elastalert",),
    )
    text = "Multi-Attach error for volume pvc-1, it is already attached to another node"
    assert MATCHER.match_words(text)[0].confident
    shown = MATCHER.match("", report(symptom(oom)))[0]
    found = MATCHER.match(text, report(symptom(oom)))
    assert found[0].id == shown.id
    assert not any(one.confident for one in found if one.id != shown.id)


def test_a_healthy_cluster_matches_nothing() -> None:
    assert MATCHER.match("", report()) == []


def test_alternatives_that_one_step_tells_are_not_missing() -> None:
    book, _ = parse(
        """---
id: b
title: B
match:
  strong:
    - {finding: oom, step: look, text: Memory ran out}
    - {finding: left, step: look, text: Another sign of the same}
    - {finding: hot, step: other, text: Something else}
---
# B
""",
        Path("b.md"),
    )
    assert book is not None
    found = judge(book, symptom(finding("oom")))
    assert [reason.text for reason in found.missing] == ["Something else"]


def test_what_is_seen_with_other_facts_or_in_another_symptom_is_not_missing() -> None:
    assert BOOK is not None

    def missing(*others: Finding) -> list[str]:
        here = symptom(finding("oom", count=1), finding("restart", "n1"))
        found = judge(BOOK, here, report(here, symptom(*others)))
        return [reason.text for reason in found.missing]

    assert missing(finding("reboot")) == ["Both", "Hot"], "memory did run out, once"
    assert missing(finding("hot", "n2"), finding("left", "n2")) == []


def test_a_change_is_never_missing() -> None:
    book, _ = parse(
        PAGE.replace("within: 1h, text: Rolled out", "within: 1h, text: Rolled out, step: look"),
        Path("b.md"),
    )
    assert book is not None
    found = judge(book, symptom(finding("oom", count=4)))
    assert [reason.text for reason in found.missing] == ["Both", "Hot"]


def test_a_created_object_is_not_called_an_edited_one() -> None:
    """Unless a criterion asks for one or the other, its words leave both open."""
    both = ("service-edited", "ingress-edited", "policy-edited", "crd-edited", "cronjob-edited")
    texts = [
        part.text
        for runbook in shipped.library().runbooks
        for weight in Weight
        for each in runbook.conditions(weight)
        for part in each.parts()
        if part.rule in both and "created" not in part.where
    ]
    assert texts
    assert [text for text in texts if "edited" in text and "created" not in text] == []


def test_what_follows_a_node_of_the_symptom_counts_as_its_own() -> None:
    """A volume that a dead node holds: the story stands above the guide for the node."""
    down = symptom(finding("node-not-ready", "n1", cause="kubelet-silent"))
    for holder, first in (("n1", "volume-attach-stuck"), ("n2", "node-not-ready")):
        held = symptom(finding("volume-attachment-failed", "csi-1", node=holder))
        found = MATCHER.match_symptom(down, report(down, held))
        assert found[0].id == first, holder
        assert found[0].confident


def random_report(
    chance: Random, turn: int, pool: list[Finding], books: list[ChangeFact]
) -> Report:
    """Some findings of the pool in three symptoms; what stays is the same object."""
    seen = [one for one in pool if chance.random() < 0.7]
    changes = tuple(one for one in books if chance.random() < 0.5)
    symptoms = tuple(
        replace(symptom(*part, changes=changes[:1]), id=f"s{number}")
        for number in range(3)
        if (part := seen[number::3])
    )
    as_of = AT + timedelta(minutes=turn)
    return Report(as_of, True, (), symptoms, tuple(seen), changes)


def test_a_symptom_that_is_not_judged_again_has_the_answer_of_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text(PAGE)
    (tmp_path / "c.md").write_text(PAGE.replace("id: b", "id: c").replace("oom", "hot"))
    library = Library((tmp_path,), own=())
    chance = Random(7)
    pool = [
        finding(rule, f"n{number}", node=f"n{number % 2}", count=number)
        for rule in ("oom", "left", "right", "hot", "restart", "reboot")
        for number in range(4)
    ]
    changes = [
        ChangeFact(AT, f"rolled out {n}", Ref("Deployment", "a", n), "rollout") for n in "ab"
    ]
    kept, judged = EvidenceRanking(library), []
    kept._judge, judge_again = (  # type: ignore[method-assign]  # counts what is judged
        lambda *asked: judged.append(asked) or judge_again(*asked),
        kept._judge,
    )
    asked = 0
    for turn in range(60):
        place = chance.randrange(len(pool))
        pool[place] = replace(pool[place], claim=f"changed in {turn}")
        report = random_report(Random(turn // 3), turn, pool, changes)
        for one in report.symptoms:
            asked += 1
            assert list(kept.match_symptom(one, report)) == list(
                Matcher(library).match_symptom(one, report)
            ), turn
    assert len(judged) < asked * len(library.runbooks), "what did not change is not judged again"


def test_more_of_what_another_symptom_shows_is_not_judged_again(tmp_path: Path) -> None:
    """What is missing depends only on whether it is seen: of 500 symptoms that miss a rule none
    changes when a second object has it."""
    page = PAGE.replace(
        "    - text: Both\n", "    - {finding: lost, text: Lost}\n    - text: Both\n"
    )
    (tmp_path / "b.md").write_text(page)
    matcher, judged = EvidenceRanking(Library((tmp_path,), own=())), list[int]()
    matcher._judge, judge_again = (  # type: ignore[method-assign]  # counts what is judged
        lambda *asked: judged.append(1) or judge_again(*asked),
        matcher._judge,
    )
    here = symptom(finding("oom", count=4))
    other = [finding("lost", f"n{number}") for number in range(2, 5)]

    def missing(*findings: Finding) -> tuple[bool, int]:
        judged.clear()
        seen = report(here, symptom(*findings)) if findings else report(here)
        found = matcher.match_symptom(here, seen)
        return "Lost" in [reason.text for reason in found[0].missing], len(judged)

    assert missing() == (True, 1)
    assert missing(other[0]) == (False, 1)
    assert missing(*other) == (False, 0)
    assert missing(other[2]) == (False, 0)
    assert missing() == (True, 1)


@pytest.mark.parametrize(
    ("cause", "causes", "sure"),
    [
        ("taint", ("taint",), True),
        ("cordoned", ("cordoned",), True),
        ("node-not-ready", ("node-not-ready",), False),
        ("insufficient-memory", ("insufficient-memory", "cordoned"), False),
    ],
)
def test_a_taint_beside_the_deciding_cause_or_of_a_failed_node_makes_no_page_sure(
    cause: str, causes: tuple[str, ...], sure: bool
) -> None:
    seen = finding("pod-unschedulable", "web", "Pod", cause=cause, causes=causes)
    cordon = finding("node-cordoned")
    page = next(r for r in MATCHER.library.runbooks if r.id == "taint-not-tolerated")
    assert judge(page, symptom(seen, cordon)).confident is sure


CAUSES = [
    "insufficient-memory",
    "insufficient-cpu",
    "insufficient-pods",
    "insufficient-storage",
    "insufficient-other",
    "taint",
    "node-not-ready",
    "affinity",
    "anti-affinity",
    "topology-spread",
    "volume-affinity",
    "volume-count",
    "volume-unbound",
    "volume-binding",
    "claim-missing",
    "resource-claim",
    "host-port",
    "cordoned",
    "no-nodes",
]


@pytest.mark.parametrize("cause", CAUSES)
def test_only_the_deciding_cause_of_an_unscheduled_pod_makes_a_page_sure(cause: str) -> None:
    def sure(*causes: str) -> list[str]:
        seen = finding("pod-unschedulable", "web", "Pod", cause=cause, causes=causes)
        beside = finding("node-cordoned"), finding("node-not-ready")
        return [m.id for m in MATCHER.match_symptom(symptom(seen, *beside)) if m.confident]

    others = [other for other in CAUSES if other != cause]
    assert sure(cause, *others) == sure(cause)


@pytest.mark.parametrize("rule", ["pod-last-words", "dependency-failing"])
@pytest.mark.parametrize("active", [True, False])
def test_the_words_of_a_run_that_is_over_make_no_page_sure(rule: str, active: bool) -> None:
    one = finding(rule, "pod", "Pod", **{"class": "unreachable", "proven": True})
    page = next(r for r in MATCHER.library.runbooks if r.id == "crash-dependency-unreachable")
    assert judge(page, symptom(replace(one, active=active))).confident is active


@pytest.mark.parametrize(("answer", "sure"), [("refused", True), ("none", False), ("front", False)])
def test_only_word_from_its_host_makes_a_page_about_the_api_server_sure(
    answer: str, sure: bool
) -> None:
    """A name, a route, a proxy or a time limit may have failed on this side."""
    seen = finding("api-server-unreachable", "", "Cluster", answer=answer)
    assert any(m.confident for m in MATCHER.match_symptom(symptom(seen))) is sure


@pytest.mark.parametrize("no_answer", [True, False])
@pytest.mark.parametrize("class_", CLASSES)
def test_a_service_is_missing_only_where_its_name_was_not_found(
    class_: str, no_answer: bool
) -> None:
    """A refused connection, a time-out or an answer of the peer shows that the name had an
    address: of a proxy, an alias or a Service that went later. A name server that does not answer
    says nothing about a name."""
    facts = {"class": class_, "standing": "no-service", "no_answer": no_answer}
    seen = finding("pod-last-words", "web", "Pod", **facts)
    found = {m.id: m.confident for m in MATCHER.match_symptom(symptom(seen))}
    not_found = class_ == "name-not-found" and not no_answer
    assert found["reference-to-missing-service"] is not_found


UNPROVEN = [
    "file-missing",
    "config-invalid",
    "tls-refused",
    "too-many-connections",
    "read-only",
    "unreachable",
    "disk-full",
]


@pytest.mark.parametrize("class_", UNPROVEN)
def test_words_that_several_causes_have_make_no_page_sure(class_: str) -> None:
    def sure(*, proven: bool) -> list[str]:
        facts = {"class": class_, "proven": proven}
        words = finding("pod-last-words", "web", "Pod", **facts)
        crash = finding("pod-crash-looping", "web", "Pod", exit_code=1)
        down = finding("workload-unavailable", "web", "Deployment")
        seen = symptom(words, crash, down)
        return [m.id for m in MATCHER.match_symptom(seen) if m.confident]

    assert len(sure(proven=True)) == 1
    assert sure(proven=False) == []
