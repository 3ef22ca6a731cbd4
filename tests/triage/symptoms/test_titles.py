"""Titles of several objects."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import NOW
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.messages.kubelet import IMAGE_CAUSES, image_cause
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
        ("exits 1: no route", "web-0 exits 1: no route", "web-0 and web-1 exit 1: no route"),
        (
            "waits in db: refused",
            "web-0 waits in db: refused",
            "web-0 and web-1 wait in db: refused",
        ),
        ("is not ready: x", "web-0 is not ready: x", "web-0 and web-1 are not ready: x"),
    ],
)
def test_last_words_of_several_are_said_of_several(claim: str, one: str, several: str) -> None:
    assert title([words(0, claim, "network")]) == one
    assert title([words(0, claim, "network"), words(1, claim, "network")]) == several


def test_a_last_line_that_is_not_understood_stands_behind_the_name() -> None:
    claim = "the log's last line: bye"
    assert title([words(0, claim, "")]) == "web-0, the log's last line: bye"
    assert title([words(0, claim, ""), words(1, claim, "")]) == (
        "web-0 and web-1, the log's last line: bye"
    )


def cluster_wide(rule: str, claim: str, *related: Ref) -> Finding:
    return Finding(
        f"{rule}:Cluster",
        rule,
        Ref("Cluster", "", ""),
        claim,
        Severity.WARNING,
        "of the cluster",
        NOW,
        SinceSource.STATUS,
        related=related,
    )


def test_what_a_part_of_the_control_plane_says_stands_behind_its_state() -> None:
    said = words(0, "exits 1: unknown flag: --old", "config-invalid")
    degraded = cluster_wide("control-plane-degraded", "kube-apiserver: 2 of 3 ready", said.object)
    assert title([degraded, said]) == (
        "kube-apiserver: 2 of 3 ready (exits 1: unknown flag: --old)"
    )
    other = words(1, "exits 1: no route", "unreachable")
    assert title([degraded, other]) == "kube-apiserver: 2 of 3 ready"


@pytest.mark.parametrize(
    ("claim", "more"),
    [
        ("n9, the only node that joined, fails, 7 older are fine", " (exits 1: no pod CIDR)"),
        ("2 of 2 new nodes fail: the network plugin is not ready", ""),
    ],
)
def test_new_nodes_that_say_nothing_have_the_words_of_their_pods(claim: str, more: str) -> None:
    lead = cluster_wide("failures-on-new-nodes", claim)
    assert title([lead, words(0, "exits 1: no pod CIDR", "")]) == claim + more


@pytest.mark.parametrize(
    ("code", "ends"), [(0, "its command ends: exit 0"), (4, "exit 4"), (None, "")]
)
def test_a_crash_loop_without_words_says_how_it_ends(code: int | None, ends: str) -> None:
    crash = Finding(
        "pod-crash-looping:Pod/shop/web-0",
        "pod-crash-looping",
        Ref("Pod", "shop", "web-0"),
        "container web keeps crashing",
        Severity.WARNING,
        "it serves nothing",
        NOW,
        SinceSource.STATUS,
        facts={"owner": "web", "exit_code": code},
    )
    assert title([crash]) == "web is in a crash loop" + (f" ({ends})" if ends else "")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("not found", "web cannot pull image a:1 (not found in the registry)"),
        ("lookup reg: no such host", "web cannot pull image a:1 (DNS: the name of the registry"),
        ("Back-off pulling image", "web cannot pull image a:1"),
    ],
)
def test_the_cause_of_a_failed_pull_is_told_in_words_or_not_at_all(message: str, line: str) -> None:
    cause = image_cause(message)
    assert (cause == "other") is (cause not in IMAGE_CAUSES)
    facts = {"image": "a:1", "cause": cause, "owner": "web", "owner_kind": "Deployment"}
    pull = Finding(
        "pull",
        "pod-image-pull-failed",
        Ref("Pod", "shop", "web-1"),
        "image a:1 cannot be pulled",
        Severity.WARNING,
        "the container cannot start",
        NOW,
        SinceSource.EVENT,
        facts=facts,
    )
    found = title([pull])
    assert found.startswith(line)
    assert "other" not in found


def test_a_reboot_leads_before_the_containers_that_it_ended() -> None:
    found = [
        Finding(
            f"{rule}:Node//n1",
            rule,
            Ref("Node", "", "n1"),
            claim,
            Severity.WARNING,
            "a warning within half an hour",
            NOW,
            SinceSource.EVENT,
        )
        for rule, claim in (
            ("restarts-together-on-node", "6 containers of 6 owners ended within two minutes"),
            ("node-rebooted", "rebooted 11 min ago"),
        )
    ]
    assert title(found) == "n1 rebooted"


@pytest.mark.parametrize(
    ("owners", "who"),
    [
        (("web", "web"), "2 pods of web"),
        (("web", "cart"), "2 pods of cart and web"),
        (("web", "cart", "feed"), "3 pods of cart, feed and 1 more"),
        (("web", "cart", "feed", "feed", "ads"), "5 pods of ads, cart and 2 more"),
    ],
)
def test_owners_are_named(owners: tuple[str, ...], who: str) -> None:
    found = [
        Finding(
            f"pod-image-pull-failed:Pod/shop/{owner}-{number}",
            "pod-image-pull-failed",
            Ref("Pod", "shop", f"{owner}-{number}"),
            "cannot pull its image",
            Severity.WARNING,
            "a warning",
            NOW,
            SinceSource.EVENT,
            facts={"owner": owner, "image": "registry.example/app:1", "cause": "unauthorized"},
        )
        for number, owner in enumerate(owners)
    ]
    assert title(found).startswith(f"{who} cannot pull image registry.example/app:1")


def test_replicas_that_are_missing_are_told_with_what_a_young_crash_says() -> None:
    short, said = (
        Finding(
            f"{rule}:{kind}/shop/web",
            rule,
            Ref(kind, "shop", "web"),
            claim,
            severity,
            "-",
            NOW,
            SinceSource.STATUS,
            facts={"owner": owner, "class": "port-in-use"} if owner else {},
        )
        for rule, kind, claim, severity, owner in (
            ("workload-unavailable", "Deployment", "0 of 1 replicas ready", Severity.WARNING, ""),
            ("pod-last-words", "Pod", "exits 1: port 80 is in use", Severity.INFO, "web"),
        )
    )
    told = "web has 0 of 1 replicas ready"
    assert title([short, said]) == f"{told} (exits 1: port 80 is in use)"
    assert title([short]) == told
