"""Titles of several objects."""

from __future__ import annotations

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
