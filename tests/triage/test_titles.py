"""Titles of several objects."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import NOW
from triage.facts.finding import Finding, Severity, SinceSource
from triage.symptoms.titles import title


def cordoned(*claims: str) -> list[Finding]:
    return [
        Finding(
            f"node-cordoned:Node//n{number}",
            "node-cordoned",
            Ref("Node", "", f"n{number}"),
            claim,
            Severity.INFO,
            "a cordon is made by intent",
            NOW,
            SinceSource.STATUS,
        )
        for number, claim in enumerate(claims)
    ]


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        (("cordoned by stanch", "cordoned by kubectl-cordon"), "2 nodes are cordoned"),
        (("cordoned", "cordoned by kubectl-cordon"), "2 nodes are cordoned"),
        (("cordoned by stanch", "cordoned by stanch"), "2 nodes are cordoned by stanch"),
        (("cordoned by stanch",), "n0 is cordoned by stanch"),
    ],
)
def test_a_title_names_who_did_it_only_if_it_did_all(claims: tuple[str, ...], line: str) -> None:
    assert title(cordoned(*claims)) == line


def test_a_title_with_a_moment_tells_the_first_of_several() -> None:
    """The age beside a title is that of the first; coredns sorts before web."""
    rolled = [
        Finding(
            f"rollout-not-graceful:Deployment/shop/{name}",
            "rollout-not-graceful",
            Ref("Deployment", "shop", name),
            f"rolled out at {at:%H:%M} UTC with no preStop: connections may be cut",
            Severity.INFO,
            "a rollout without draining is a note",
            at,
            SinceSource.CREATION,
        )
        for name, at in (("coredns", NOW), ("web", NOW - timedelta(minutes=12)))
    ]
    line = title(rolled)
    assert line.startswith(f"web was rolled out at {rolled[1].since:%H:%M} UTC")
    assert line.endswith("(and 1 more)")


def words(number: int, claim: str, class_: str) -> Finding:
    return Finding(
        f"pod-last-words:Pod/shop/web-{number}",
        "pod-last-words",
        Ref("Pod", "shop", f"web-{number}"),
        claim,
        Severity.WARNING,
        "as severe as what it explains",
        NOW,
        SinceSource.STATUS,
        facts={"owner": f"web-{number}", "class": class_},
    )


@pytest.mark.parametrize(
    ("claim", "one", "several"),
    [
        ("exits 1: no route", "web-0 exits 1: no route", "web-0 and 1 more exit 1: no route"),
        (
            "waits in db: refused",
            "web-0 waits in db: refused",
            "web-0 and 1 more wait in db: refused",
        ),
        ("is not ready: x", "web-0 is not ready: x", "web-0 and 1 more are not ready: x"),
    ],
)
def test_last_words_of_several_are_said_of_several(claim: str, one: str, several: str) -> None:
    assert title([words(0, claim, "network")]) == one
    assert title([words(0, claim, "network"), words(1, claim, "network")]) == several


def test_a_last_line_that_is_not_understood_stands_behind_the_name() -> None:
    claim = "the log's last line: bye"
    assert title([words(0, claim, "")]) == "web-0, the log's last line: bye"
    assert title([words(0, claim, ""), words(1, claim, "")]) == (
        "web-0 and 1 more, the log's last line: bye"
    )
