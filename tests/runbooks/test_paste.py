"""Pasted texts: what each form names and says, and that an alert's name decides."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kube.objects import Ref
from runbooks.identity import find_page
from runbooks.loader import Library
from runbooks.matcher import Matcher
from runbooks.paste import read_paste
from tests import shipped

AT = datetime(2026, 11, 21, 3, 2, 11, tzinfo=UTC)
CHECKOUT = Ref("Pod", "shop", "checkout-7d4b9c-x2k8z")

LABELS = {
    "alertname": "KubePodCrashLooping",
    "container": "app",
    "namespace": "shop",
    "pod": "checkout-7d4b9c-x2k8z",
    "job": "kube-state-metrics",
    "service": "prometheus-kube-state-metrics",
    "severity": "warning",
}
ANNOTATIONS = {
    "description": "Pod shop/checkout-7d4b9c-x2k8z (app) is in waiting state (reason: "
    '"CrashLoopBackOff").',
    "runbook_url": "https://runbooks.example.org/runbooks/kubernetes/kubepodcrashlooping",
    "summary": "Pod is crash looping.",
}
ALERT = {
    "status": "firing",
    "labels": LABELS,
    "annotations": ANNOTATIONS,
    "startsAt": "2026-11-21T03:02:11.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph?g0.expr=x",
    "fingerprint": "9f86d081884c7d65",
}
WEBHOOK = {
    "version": "4",
    "groupKey": '{}:{alertname="KubePodCrashLooping"}',
    "status": "firing",
    "receiver": "team",
    "groupLabels": {"alertname": "KubePodCrashLooping"},
    "commonLabels": LABELS,
    "commonAnnotations": ANNOTATIONS,
    "externalURL": "http://alertmanager",
    "alerts": [ALERT],
}
DETAILS = """Labels:
 - alertname = KubePodCrashLooping
 - namespace = shop
 - pod = checkout-7d4b9c-x2k8z
 - prometheus = monitoring/k8s
 - severity = warning
Annotations:
 - description = Pod shop/checkout-7d4b9c-x2k8z (app) is in waiting state.
 - runbook_url = https://runbooks.example.org/runbooks/kubernetes/kubepodcrashlooping
Source: http://prometheus/graph?g0.expr=x
"""
ALERTS: dict[str, str] = {
    "alertmanager webhook": json.dumps(WEBHOOK, indent=2),
    "alertmanager api v2": json.dumps([ALERT]),
    "prometheus api": json.dumps(
        {"status": "success", "data": {"alerts": [{**ALERT, "activeAt": "2026-11-21T03:02:11Z"}]}}
    ),
    "cut off webhook": json.dumps(WEBHOOK, indent=2)[:-40],
    "amtool": "Alertname            Starts At                Summary                State\n"
    "KubePodCrashLooping  2026-11-21 03:02:11 UTC  Pod is crash looping.  active\n",
    "amtool extended": "Labels                                        Annotations  Starts At\n"
    'alertname="KubePodCrashLooping" namespace="shop" pod="checkout-7d4b9c-x2k8z"  '
    'summary="Pod is crash looping."  2026-11-21 03:02:11 UTC\n',
    "prometheus": 'ALERTS{alertname="KubePodCrashLooping",alertstate="firing",namespace="shop",'
    'pod="checkout-7d4b9c-x2k8z"} 1',
    "mail": f"[FIRING:1] KubePodCrashLooping (shop warning)\n\n{DETAILS}",
    "pagerduty": json.dumps(
        {
            "event": {
                "event_type": "incident.triggered",
                "occurred_at": "2026-11-21T03:02:11Z",
                "data": {
                    "title": "[FIRING:1] KubePodCrashLooping (shop warning)",
                    "body": {"details": {"firing": DETAILS, "num_firing": "1"}},
                },
            }
        }
    ),
    "opsgenie": json.dumps(
        {
            "action": "Create",
            "alert": {
                "message": "[Prometheus]: KubePodCrashLooping",
                "tags": ["warning"],
                "details": {k: v for k, v in LABELS.items() if k != "job"},
                "createdAt": 1795230131000,
            },
        }
    ),
    "slack": json.dumps(
        {
            "attachments": [
                {
                    "color": "danger",
                    "title": "[FIRING:1] KubePodCrashLooping (shop warning)",
                    "text": DETAILS,
                    "fields": [{"title": "namespace", "value": "shop", "short": True}],
                }
            ]
        }
    ),
    "slack, as text": "*[FIRING:1] KubePodCrashLooping*\n*Alert:* Pod is crash looping. - `warning`\n"
    "*Details:*\n  • *alertname:* `KubePodCrashLooping`\n  • *namespace:* `shop`\n"
    "  • *pod:* `checkout-7d4b9c-x2k8z`",
}
NAMELESS = ("amtool",)
"""Forms that do not name the pod."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    """Our pages and those of a team; `library` has their pages."""
    folder = tmp_path_factory.mktemp("team")
    for name in ("KubePodCrashLooping", "KubeNodeNotReady", "CoreDNSDown", "Watchdog"):
        (folder / f"{name}.md").write_text(f"# {name}\n\n## Meaning\n\nCall the owner.\n")
    (folder / "shop.md").write_text("# Alerts of the shop\n\n### Alert Name: ShopOrdersLate\n\nx\n")
    return Matcher(Library([folder]))


@pytest.mark.parametrize("form", ALERTS)
def test_an_alert_is_read_in_each_form(form: str, team: Matcher) -> None:
    paste = read_paste(ALERTS[form])
    assert "KubePodCrashLooping" in paste.names
    assert not {"job", "service", "Service", "Job"} & {ref.kind for ref in paste.objects}
    if form not in NAMELESS:
        assert CHECKOUT in paste.objects
        assert Ref("Namespace", "", "shop") in paste.objects
    matches = team.match_words(ALERTS[form])
    assert (matches[0].id, matches[0].confident) == ("kubepodcrashlooping", True)
    assert [match.id for match in matches if match.confident] == ["kubepodcrashlooping"]
    assert "prometheus = " not in paste.words
    assert "generator" not in paste.words


def test_times_become_marks() -> None:
    for form in ("alertmanager webhook", "alertmanager api v2", "prometheus api", "amtool"):
        marks = read_paste(ALERTS[form]).marks
        assert [(mark.at.replace(microsecond=0), mark.text) for mark in marks][:1] == [
            (AT, "KubePodCrashLooping began")
        ], form


DESCRIBE = """Name:             checkout-7d4b9c-x2k8z
Namespace:        shop
Priority:         0
Service Account:  default
Node:             node-2/10.0.0.12
Start Time:       Sat, 21 Nov 2026 03:00:00 +0000
Labels:           app=checkout
                  pod-template-hash=7d4b9c
Status:           Pending
Controlled By:    ReplicaSet/checkout-7d4b9c
Containers:
  app:
    Image:          registry.example/checkout:v2
    State:          Waiting
      Reason:       ContainerCreating
    Ready:          False
Conditions:
  Type              Status
  Ready             False
Volumes:
  creds:
    Type:        Secret (a volume populated by a Secret)
Events:
  Type     Reason       Age    From     Message
  ----     ------       ----   ----     -------
  Warning  FailedMount  2m     kubelet  MountVolume.SetUp failed for volume "creds" : secret "creds" not found
"""
EVENTS = """NAMESPACE  LAST SEEN   TYPE      REASON             OBJECT            MESSAGE
shop       12m         Warning   FailedScheduling   pod/checkout-7d4b9c-x2k8z   0/5 nodes are available: 5 Insufficient memory.
shop       3m (x4 over 9m)   Normal    Scheduled    pod/other-1       Successfully assigned
"""
TRACE = """2026-11-21T03:02:11.001Z INFO starting
2026-11-21T03:02:11.410Z INFO connected
2026-11-21T03:02:12.000Z ERROR request failed
java.net.UnknownHostException: payments.shop.svc.cluster.local: Temporary failure in name resolution
\tat java.base/java.net.InetAddress.getAllByName(InetAddress.java:1)
\tat com.example.Client.call(Client.java:42)
2026-11-21T03:09:40.000Z ERROR request failed
"""


def test_a_description_names_its_object_node_and_owner() -> None:
    paste = read_paste(DESCRIBE)
    assert paste.objects[:3] == (
        CHECKOUT,
        Ref("Node", "", "node-2"),
        Ref("ReplicaSet", "shop", "checkout-7d4b9c"),
    )
    assert 'secret "creds" not found' in paste.words
    assert "registry.example" not in paste.words
    ids = [match.id for match in shipped.matcher().match_words(DESCRIBE)[:2]]
    assert "secret-not-found-blocks-deployments" in ids


def test_events_and_logs_are_cut_to_what_they_say() -> None:
    events = read_paste(EVENTS)
    assert Ref("Pod", "shop", "checkout-7d4b9c-x2k8z") in events.objects
    assert "FailedScheduling 0/5 nodes are available: 5 Insufficient memory." in events.words
    trace = read_paste(TRACE)
    assert "UnknownHostException" in trace.words
    assert "INFO connected" not in trace.words
    assert trace.words.count("ERROR request failed") == 1
    assert [mark.at.minute for mark in trace.marks] == [2, 9]


def test_a_name_decides_in_any_spelling_and_the_team_stands_above_us(team: Matcher) -> None:
    for text in (
        "KubePodCrashLooping",
        "kubepodcrashlooping",
        "CRITICAL: KubePodCrashLooping disk full no space left on device secrets emptied",
        "alertname: KubePodCrashLooping",
        "see https://wiki.example/runbooks/KubePodCrashLooping.md",
    ):
        assert team.match_words(text)[0].id == "kubepodcrashlooping", text
        assert team.match_words(text)[0].against == ()
    assert team.match_words("CoreDNSDown")[0].id == "corednsdown", "ours matches it, too"
    assert team.match_words("ShopOrdersLate fires")[0].id == "shop"
    assert team.match_words("Watchdog: alerting works")[0].id == "watchdog"
    assert not team.match_words("a watchdog bug was found")[0].confident


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("coredns-oom", "coredns-oom"),
        ("CoreDNS-OOM", "coredns-oom"),
        ("kubenodenotready", "kubenodenotready"),
        ("KubeNodeNotReady", "kubenodenotready"),
        ("Alerts of the shop", "shop"),
    ],
)
def test_a_page_is_found_in_any_spelling(team: Matcher, name: str, found: str) -> None:
    page = find_page(team.library.runbooks, name)
    assert page is not None
    assert page.id == found
    assert find_page(team.library.runbooks, "no such page") is None


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*LABELS, "alerts", "labels", "startsAt", "text"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=80)
def test_any_document_is_read(value: Any) -> None:
    read_paste(json.dumps(value))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, "alertname=" * 30_000, "a/" * 9])
def test_odd_pastes_are_read(text: str) -> None:
    read_paste(text)


def test_a_file_is_one_text(tmp_path: Path) -> None:
    assert read_paste(json.dumps(WEBHOOK, indent=2)).names == read_paste(json.dumps(WEBHOOK)).names


@pytest.mark.parametrize(
    ("text", "objects", "marks"),
    [
        (
            "NAMESPACE  LAST SEEN  TYPE  REASON  OBJECT  MESSAGE\n"
            "shop  2m  Warning  Unhealthy  pod/web-1  Readiness probe failed\n"
            "shop  2m  Normal  Pulled  node-1  Pulled",
            ["Pod shop/web-1"],
            0,
        ),
        (
            "NAME  STATUS  ROLES  AGE  VERSION\nw-1  NotReady  <none>  3d  v1.31.4\n"
            "w-2  Ready  <none>  3d  v1.31.4",
            ["Node w-1"],
            0,
        ),
        (
            "NAMESPACE  NAME  READY  STATUS  RESTARTS  AGE\n"
            "shop  web-1  0/1  CrashLoopBackOff  14 (3m ago)  52m\nshop  web-2  1/1  Running  0  5m",
            ["Pod shop/web-1"],
            0,
        ),
        ('evicting pod cache/redis-0, pods/"redis-1" -n "cache"', ["cache/redis-1", "redis-0"], 0),
        (
            "Name:  web\nNamespace:  shop\nReference:  Deployment/web\nMin replicas:  2\n"
            "Deployment pods:  2 current / 0 desired\n",
            ["HorizontalPodAutoscaler shop/web", "Deployment shop/web"],
            0,
        ),
        ("Start Time:  Tue, 03 Feb 2026 02:03:04 +0000", [], 1),
        ("2026/02/03 02:18:01 [error] connect() failed", [], 1),
        ('{"createdAt": 1770085200000, "message": "late"}', [], 1),
        ('{"createdAt": 17, "endsAt": true, "message": "late"}', [], 0),
    ],
)
def test_tables_describe_and_times_of_other_tools(
    text: str, objects: list[str], marks: int
) -> None:
    found = read_paste(text)
    named = [str(ref) for ref in found.objects]
    assert all(any(name in one for one in named) for name in objects), named
    assert len([one for one in named if "Namespace" not in one]) == len(objects), named
    assert len(found.marks) == marks


PAGES = {
    "file": ("KubeShopDown.md", "# The shop\n\nCall.\n"),
    "title": ("p1.md", "# KubeShopDown\n\nCall.\n"),
    "title with a word for it": ("p1.md", "# Alert: KubeShopDown\n\nCall.\n"),
    "title with its severity": ("p1.md", "# KubeShopDown (critical)\n\nCall.\n"),
    "title and a sentence": ("p1.md", "# KubeShopDown - no pod answers\n\nCall.\n"),
    "title in a sentence": ("p1.md", "# How to act on KubeShopDown\n\nCall.\n"),
    "title in code": ("p1.md", "# `KubeShopDown`\n\nCall.\n"),
    "heading": ("alerts.md", "# Shop\n\n## KubeShopDown\n\nCall.\n\n## Impact\n\nNone.\n"),
    "heading with a word for it": (
        "alerts.md",
        "# Shop\n\n### Alert Name: KubeShopDown\n\nCall.\n",
    ),
    "heading with a number": ("alerts.md", "# Shop\n\n## 3. KubeShopDown\n\nCall.\n"),
    "subfolder": ("kubernetes/apps/kube-shop-down.md", "# Shop\n\nCall.\n"),
    "prefix": ("alert-KubeShopDown.md", "# Shop\n\nCall.\n"),
    "number": ("02_KubeShopDown.md", "# Shop\n\nCall.\n"),
    "suffix": ("KubeShopDown-runbook.md", "# Shop\n\nCall.\n"),
    "language": ("KubeShopDown.de.md", "# Der Laden\n\nAnrufen.\n"),
    "index of a folder": ("KubeShopDown/index.md", "# Shop\n\nCall.\n"),
    "README of a folder": ("KubeShopDown/README.md", "# Shop\n\nCall.\n"),
    "MkDocs": (
        "p.md",
        "---\ntitle: KubeShopDown\ntags: [shop]\nhide: [toc]\n---\n# Shop\n\nCall.\n",
    ),
    "Hugo, YAML": (
        "p.md",
        "---\ntitle: Shop\nweight: 20\naliases: [/runbooks/KubeShopDown/]\n---\n\nCall.\n",
    ),
    "Hugo, TOML": ("p.md", '+++\ntitle = "KubeShopDown"\nweight = 20\n+++\n\nCall.\n'),
    "Docusaurus": ("p.md", "---\nid: KubeShopDown\nsidebar_label: Shop\n---\n\nCall.\n"),
    "Backstage": (
        "p.md",
        "---\nname: KubeShopDown\nowner: shop\nkind: Runbook\n---\n# S\n\nCall.\n",
    ),
    "its alert": ("p.md", "---\nalert: KubeShopDown\nseverity: page\n---\n# Shop\n\nCall.\n"),
    "broken front matter": ("p.md", "---\ntitle: Shop: down\n---\n# KubeShopDown\n\nCall.\n"),
    "Chinese": ("p.md", "# KubeShopDown告警处理\n\n重启。\n"),
    "Chinese, name last": ("p.md", "# 告警：KubeShopDown\n\n重启。\n"),
    "Russian": ("p.md", "# Алерт KubeShopDown\n\nЗвоните.\n"),
    "German": ("p.md", "# Alarm KubeShopDown: der Laden steht\n\nAnrufen.\n"),
}


@pytest.mark.parametrize("form", PAGES)
def test_a_page_is_found_by_its_alert_however_the_team_writes_it(form: str, tmp_path: Path) -> None:
    name, text = PAGES[form]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    library = Library([tmp_path])
    page = next(one for one in library.runbooks if one.path == path)
    matcher = Matcher(library)
    for paste in (
        "KubeShopDown",
        "kubeshopdown",
        "[FIRING:3] KubeShopDown (shop critical)",
        "告警KubeShopDown触发了, no space left on device",
        "alertname=KubeShopDown pod=a-1 OOMKilled, readiness probe failed",
    ):
        best = matcher.match_words(paste)[0]
        assert (best.id, best.confident) == (page.id, True), paste


def test_headings_that_many_pages_have_name_none(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# Shop\n\n## Impact\n\nx\n\n## Diagnosis\n\nx\n\n## The DaemonSet\n\n## CrashLoopBackOff\n"
    )
    matcher = Matcher(Library([tmp_path]))
    for text in ("Impact: some users wait", "diagnosis", "a DaemonSet is edited"):
        assert not any(match.certain for match in matcher.match_words(text)), text


def _alert(name: str, number: int, status: str = "firing") -> dict[str, Any]:
    labels = {"alertname": name, "namespace": "shop", "pod": f"web-{number}"}
    ends = "2026-11-21T03:05:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    times = {"startsAt": "2026-11-21T03:02:11Z", "endsAt": ends}
    return {"status": status, "labels": labels, "annotations": {"summary": name}, **times}


def test_fifty_alerts_of_three_causes_name_three_pages(team: Matcher) -> None:
    """What is resolved or silenced names no page beside what fires; its times are kept."""
    causes = ("KubePodCrashLooping", "KubeNodeNotReady", "CoreDNSDown")
    alerts = [_alert(causes[number % 3], number) for number in range(50)]
    over = [_alert("ShopOrdersLate", 99, "resolved")]
    silenced = {**_alert("Watchdog", 98), "status": {"state": "suppressed", "silencedBy": ["x"]}}
    paste = read_paste(json.dumps({"version": "4", "alerts": [*over, silenced, *alerts]}))
    assert paste.names == causes
    assert Ref("Pod", "shop", "web-99") not in paste.objects
    assert "ShopOrdersLate ended" in [mark.text for mark in paste.marks]
    matches = team.match_words(paste.text)
    assert {match.id for match in matches if match.confident} == {
        "kubepodcrashlooping",
        "kubenodenotready",
        "corednsdown",
    }
    alone = read_paste(json.dumps({"alerts": over}))
    assert alone.names == ("ShopOrdersLate",), "a lone resolved alert is what was pasted"


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("[RESOLVED:2] KubeNodeNotReady worker-7", True),
        ("[FIRING:1] KubeNodeNotReady worker-7\n[RESOLVED:2] KubeNodeNotReady worker-8", False),
        (
            json.dumps({"status": "resolved", "alerts": [_alert("KubeAPIDown", 1, "resolved")]}),
            True,
        ),
        (json.dumps([_alert("KubeAPIDown", 1, "resolved"), _alert("KubeAPIDown", 2)]), False),
        (json.dumps({"kind": "Pod", "status": {"phase": "Failed"}}), False),
        ("KubeNodeNotReady worker-7", False),
    ],
)
def test_a_text_whose_alerts_are_all_resolved_is_over(text: str, over: bool) -> None:
    assert read_paste(text).over is over


def test_the_page_of_an_alert_that_is_over_comes_first_and_is_not_sure() -> None:
    best = shipped.matcher().match_words("[RESOLVED] KubePodCrashLooping payments/api")[0]
    assert (best.id, best.certain, best.confident) == ("crash-looping", True, False)
    assert [reason.text for reason in best.against] == ["the text says that it is over"]


def test_a_silence_says_what_it_silences_and_why() -> None:
    silence = {
        "matchers": [
            {"name": "alertname", "value": "KubePodCrashLooping", "isRegex": False},
            {"name": "namespace", "value": "shop", "isRegex": False},
            {"name": "pod", "value": "web-1", "isRegex": False},
        ],
        "startsAt": "2026-11-21T03:02:11Z",
        "endsAt": "2026-11-21T05:02:11Z",
        "createdBy": "ops",
        "comment": "the database refuses connections, being repaired",
        "status": {"state": "active"},
    }
    paste = read_paste(json.dumps([silence]))
    assert paste.names == ("KubePodCrashLooping",)
    assert Ref("Pod", "shop", "web-1") in paste.objects
    assert "the database refuses connections" in paste.words
    assert [mark.text for mark in paste.marks] == [
        "the silence of KubePodCrashLooping began",
        "the silence of KubePodCrashLooping ended",
    ]


def test_a_link_names_its_page_without_its_index() -> None:
    for link in (
        "https://wiki.example/runbooks/KubePodCrashLooping/index.html",
        "https://code.example/ops/runbooks/KubePodCrashLooping/README.md#meaning",
        "https://wiki.example/runbook/KubePodCrashLooping%20runbook",
    ):
        found = list(read_paste(f"see {link} now").names)
        assert any(name.startswith("KubePodCrashLooping") for name in found), found
