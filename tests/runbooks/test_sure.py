"""What makes a page sure: each smallest set of evidence that does shows what the title of a story
says, and a note that tells of no fault makes none sure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cluster.kube.objects import Ref
from runbooks.judging.judge import BESIDE, CONFIDENT, STRONG, SUPPORT
from runbooks.model import Criterion, Runbook, Weight
from tests import shipped
from triage.facts.finding import Finding, Report, Severity, SinceSource, Symptom
from triage.facts.rules.catalogue import FINDINGS

TITLES = {
    "cni-not-ready-on-new-node": {"new_node"},
    "cluster-upgrade-breaks-cluster": {"version_differs", "skew_minor", "daemonset-update-failing"},
    "container-runtime-crash-memory-leak": {
        "memory-growing",
        "node-eviction-threshold",
        "node-system-oom",
    },
    "coredns-oom": {"oom_killed", "pod-oom-killed"},
    "cpu-hot-node-kernel-panic": {"node-cpu-hot", "suspect_no_limits"},
    "errors-during-rollout": {"rollout-not-graceful"},
    "ingress-controller-oom": {"oom_killed", "pod-oom-killed"},
    "ingress-routes-lost-api-server-down": {"ingress-degraded", "api-server-unreachable"},
    "kubelet-memory-leak": {"kubelet-memory-high", "victim_kubelet"},
    "network-policy-cni-version-skew": {"daemonset-image-drift"},
    "nodes-notready-system-oom": {"node-system-oom", "oom", "suspect_no_limits"},
}
"""The rules or facts without which the title of a story is a guess: a node that is *new*, a leak of
*memory*, the routes of an *ingress*."""


def _shows(condition: Criterion) -> frozenset[str]:
    return frozenset(name for part in condition.parts() for name in (part.rule, *dict(part.where)))


def smallest(runbook: Runbook) -> Iterator[frozenset[str]]:
    """Rules and facts of each smallest set of conditions that makes a page sure."""
    strong = runbook.conditions(Weight.STRONG)
    beside = [
        one
        for one in runbook.conditions(Weight.SUPPORT)
        if one.on == "finding" and (one.value or SUPPORT) >= BESIDE
    ]
    for condition in strong:
        if (condition.value or STRONG) >= CONFIDENT:
            yield _shows(condition)
        else:
            yield from (_shows(condition) | _shows(other) for other in beside)


@pytest.mark.parametrize("id_", sorted(TITLES))
def test_no_story_is_sure_without_what_its_title_says(id_: str) -> None:
    page = next(one for one in LIBRARY.runbooks if one.id == id_)
    found = list(smallest(page))
    assert found
    assert [sorted(one) for one in found if one.isdisjoint(TITLES[id_])] == []


@pytest.mark.parametrize("rule", sorted(FINDINGS))
def test_a_note_that_tells_of_no_fault_makes_no_page_sure(rule: str) -> None:
    """Whatever the pages ask for, a note is no fault until it rises: every rule with the facts that
    any page wants of it."""
    pages = [
        condition
        for page in LIBRARY.runbooks
        for top in page.conditions(Weight.STRONG)
        for condition in top.parts()
        if condition.rule == rule and condition.on == "finding"
    ]
    for condition in pages:
        facts = {name: plain(wanted) for name, wanted in dict(condition.where).items()}
        for severity, sure in ((Severity.INFO, False), (Severity.WARNING, True)):
            seen = note(rule, facts, severity)
            report = Report(AT, True, (), (seen,), seen.findings, ())
            told = any(one.confident for one in MATCHER.match_symptom(seen, report))
            assert not told or sure or rule in RISING, (rule, facts)


RISING = {
    "cpu-throttled-at-limit",
    "hpa-maxed",
    "job-failed",
    "job-suspended",
    "pod-ended-by-kubelet",
    "pod-unschedulable",
    "service-isolated",
    "service-no-endpoints",
    "workload-scaled-to-zero",
}
"""Rules whose notes tell of a loss, of what holds something back, or of a scale to 0 within two
hours."""
AT = datetime(2026, 11, 21, 3, 2, tzinfo=UTC)
LIBRARY, MATCHER = shipped.library(), shipped.matcher()


def plain(wanted: object) -> object:
    """A value that a comparison of a page may accept."""
    value = wanted[0] if isinstance(wanted, list | tuple) else wanted
    return 5 if isinstance(value, str) and value.startswith(">") else value


def note(rule: str, facts: dict[str, Any], severity: Severity) -> Symptom:
    ref = Ref("Pod", "shop", "web-1")
    one = Finding(f"{rule}:1", rule, ref, rule, severity, "r", AT, SinceSource.EVENT, (), facts)
    return Symptom("s", rule, severity, AT, (ref,), (one,))
