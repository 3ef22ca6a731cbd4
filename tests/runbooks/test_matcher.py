"""Runbooks by words: texts that people paste, typos, and texts that fit nothing."""

from __future__ import annotations

import json
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.documents import document, outside
from runbooks.loader import Library
from runbooks.match import Match
from runbooks.matcher import Matcher
from runbooks.terms import fold, terms
from tests import shipped


def texts(name: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()
    ]


TEXTS, HELD_OUT, FRESH = texts("symptoms.jsonl"), texts("heldout.jsonl"), texts("fresh.jsonl")
UNSEEN, OTHERS = texts("unseen.jsonl"), texts("others.jsonl")
"""Texts of guides too, two or three a page, written before the words were tuned for them."""
PASTES = texts("pastes.jsonl")
"""Whole pastes, chat in two languages and names of alerts; 60 are about no cluster. First before the
words were tuned for them: 101 of 111 and, of the last 72, 38 of 42."""
BLIND = texts("blind.jsonl")
"""Written before the words were read: 150, 110, 40 that are questions or begin like one, and 50 of
which no word is of a cluster. 151 fit no page, and hardly a word was tuned for them."""
NIGHT, ELSEWHERE = texts("night.jsonl"), texts("elsewhere.jsonl")
"""What people paste at night, written before a word was read; the last half, ranked once before
anything was tuned for it: first 129 of 144, sure and wrong 3 of 200. ELSEWHERE: 80 titles and lines
of public issues outside of a cluster, and 80 statements, healthy messages and errors elsewhere."""
LATE = texts("late.jsonl")
"""300 more of that kind, labelled by the titles of the pages alone. Ranked once before anything was
tuned for them: first 180 of 207, sure and wrong 15 of 300; `added` names the page that five labels
had missed, four of them among the 15."""
LIBRARY, MATCHER = shipped.library(), shipped.matcher()
STORIES = frozenset(runbook.id for runbook in LIBRARY.runbooks if not runbook.guide)


@cache
def rank(text: str) -> tuple[Match, ...]:
    """The runbooks for a text, ranked once for all tests."""
    return tuple(MATCHER.match_words(text))


@cache
def again() -> Matcher:
    return Matcher(Library())


def test_a_label_beside_the_given_one_names_a_guide() -> None:
    beside = {page for case in (*TEXTS, *HELD_OUT, *FRESH) for page in case.get("guides", ())}
    assert beside <= {runbook.id for runbook in LIBRARY.runbooks} - STORIES


def figures(cases: list[dict[str, Any]]) -> tuple[float, float, float]:
    """The shares of a first place, of a place among the first three, and of false alarms among what
    fits no story (guides for everyday faults may fit)."""
    ranked = [(rank(case["text"]), case["expected"]) for case in cases]
    fitting = [([match.id for match in found], expected) for found, expected in ranked if expected]
    others = [found for found, expected in ranked if not expected]
    first = sum(bool(found) and found[0] in expected for found, expected in fitting) / len(fitting)
    three = sum(not {*found[:3]}.isdisjoint(expected) for found, expected in fitting) / len(fitting)
    return (
        first,
        three,
        sum(any(match.confident and match.id in STORIES for match in found) for found in others)
        / len(others),
    )


def test_figures_on_real_symptom_texts() -> None:
    first, three, false = figures(TEXTS)
    assert len(TEXTS) >= 150
    assert first >= 0.9, first
    assert three >= 0.97, three
    assert false <= 0.02, false


@pytest.mark.parametrize("cases", [HELD_OUT, FRESH], ids=["heldout", "fresh"])
def test_figures_on_texts_collected_without_the_vocabulary(cases: list[dict[str, Any]]) -> None:
    """Texts of public issues, logs and alerts that were gathered, and labelled, before they were
    ranked."""
    first, three, false = figures(cases)
    assert {case["expected"][0] for case in cases if case["expected"]} == STORIES
    assert first >= 0.95, first
    assert three >= 0.98, three
    assert false <= 0.01, false


def test_figures_on_complaints_in_chat() -> None:
    """The last 60 were held out: 44 of 48 first when they were first ranked."""
    first, three, false = figures(OTHERS)
    assert first >= 0.95, first
    assert three >= 0.98, three
    assert false == 0.0, false
    none = [case["text"] for case in OTHERS if not case["expected"]]
    sure = [text for text in none if any(one.confident for one in rank(text))]
    assert sure == [], "what is outside of the cluster fits no page, not even a guide"


def test_figures_on_other_peoples_words_for_every_page() -> None:
    first, three, false = figures(UNSEEN)
    asked = {page for case in UNSEEN for page in case["expected"]}
    assert asked == {runbook.id for runbook in LIBRARY.runbooks}
    assert first >= 0.9, first
    assert three >= 0.98, three
    assert false <= 0.02, false


def test_figures_on_pastes() -> None:
    first, three, _ = figures(PASTES)
    assert first >= 0.97, first
    assert three >= 0.99, three
    none = [case["text"] for case in PASTES if not case["expected"]]
    sure = [text for text in none if any(one.confident for one in rank(text))]
    assert sure == []


def test_a_question_how_to_do_something_is_no_failure() -> None:
    """Of the first 300, 34 were wrongly sure before a question was told from a failure, then 12. Of
    all, 18 were before other machines, wishes and what is over were."""
    first, three, _ = figures(BLIND)
    assert first >= 0.89, first
    assert three >= 0.95, three
    wrong = wrongly_sure(BLIND)
    assert len(wrong) <= 1, wrong


def sure(text: str) -> list[str]:
    return [match.id for match in rank(text) if match.confident]


def wrongly_sure(cases: list[dict[str, Any]]) -> list[str]:
    return [
        case["text"]
        for case in cases
        if (found := {*sure(case["text"])}) and found.isdisjoint(case["expected"])
    ]


def test_figures_on_what_is_pasted_at_night() -> None:
    first, three, _ = figures(NIGHT)
    assert first >= 0.95, first
    assert three >= 0.97, three
    assert wrongly_sure(NIGHT) == []


def test_figures_on_what_is_pasted_late() -> None:
    first, three, _ = figures(LATE)
    assert first >= 0.9, first
    assert three >= 0.97, three
    assert wrongly_sure(LATE) == []


def test_few_texts_of_other_machines_make_a_page_sure() -> None:
    """Before texts were read for what they are about, 43 did."""
    assert len(wrongly_sure(ELSEWHERE)) <= 7


@pytest.mark.parametrize(
    ("here", "there", "page"),
    [
        ("permission denied in the pod", "npm: permission denied", "crash-permission"),
        ("too many open files on the node", "jest: too many open files", "inotify-or-file-limit"),
        (
            "java.lang.OutOfMemoryError: Java heap space",
            "PyCharm: java.lang.OutOfMemoryError: Java heap space",
            "memory-limit-reached",
        ),
        (
            "containerd on worker-3, log of a container: no space left on device",
            "rclone copy: no space left on device",
            "node-disk-full-container-logs",
        ),
        (
            "ModuleNotFoundError: No module named 'yaml' in the pod of web",
            "ModuleNotFoundError: No module named 'yaml' when the tests run locally",
            "crash-configuration",
        ),
        (
            "Access denied for user 'shop'@'10.1.2.3' (using password: YES)",
            "DBeaver: Access denied for user 'shop'@'10.1.2.3' (using password: YES)",
            "crash-credentials-refused",
        ),
    ],
)
def test_an_error_of_another_machine_makes_no_page_sure(here: str, there: str, page: str) -> None:
    """Any program prints these errors: the tool or the machine that the text names decides."""
    assert page in sure(here)
    assert rank(there)[0].id == page
    assert sure(there) == []


@pytest.mark.parametrize(
    ("fault", "other", "page"),
    [
        ("CoreDNS is OOMKilled", "what happens when CoreDNS is OOMKilled?", "coredns-oom"),
        ("CrashLoopBackOff of web", "I read the CrashLoopBackOff article", "crash-looping"),
        (
            "the ingress certificates expired",
            "it would be great to hear of it before the ingress certificates expire",
            "certificate-expired",
        ),
        (
            "hpa web is at its max of 12 replicas",
            "hpa web: target 60%, replicas 5 (min 2, max 10)",
            "autoscaler-at-maximum",
        ),
        (
            "the node was preempted by the provider",
            "the pod was preempted by a pod that is more important",
            "node-preempted",
        ),
        (
            "replicas land on one node in spite of anti-affinity",
            "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules",
            "replicas-packed-on-one-node",
        ),
        ("hpa at max", "cluster autoscaler is at max size", "autoscaler-at-maximum"),
        (
            "the hpa cannot scale, it has no metrics",
            "the hpa scaled web from 8 to 3",
            "autoscaler-cannot-scale",
        ),
        (
            "taint {gpu: true} on the node, the pod does not tolerate it",
            "worker-3 NotReady,SchedulingDisabled",
            "taint-not-tolerated",
        ),
        (
            "PDB blocks the drain",
            "the pdb of web allows 2 disruptions, drain goes on",
            "disruption-budget-blocks",
        ),
        (
            "CoreDNS is killed for memory",
            "remember the day when CoreDNS was killed for memory",
            "coredns-oom",
        ),
        ("ErrImagePull of web: image not found", "a meme of image not found", "image-not-found"),
    ],
)
def test_words_of_a_page_in_another_sense_do_not_make_it_sure(
    fault: str, other: str, page: str
) -> None:
    assert page in sure(fault)
    assert page not in sure(other)


def test_a_number_without_its_unit_is_no_evidence() -> None:
    assert sure("look-ups of names take five seconds")[:1] == ["dns-latency-ndots"]
    assert sure("five racks dropped out at the same time") == []


@pytest.mark.parametrize(
    "text",
    [
        "Recovered: coredns OOMKilled in kube-system",
        "[OK] disk usage of worker-3 below 80%",
        "coredns is stable again, it was OOMKilled until we raised the limit",
        "CoreDNS ist wieder stabil, war OOMKilled",
        "Job etl-1 finished successfully",
        "deployment rollout finished without errors",
    ],
)
def test_what_is_over_or_well_makes_no_page_sure(text: str) -> None:
    assert sure(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "[FIRING:1] [RESOLVED:1] coredns OOMKilled",
        "coredns recovered at 03:10 but is OOMKilled again",
        "coredns is stable again for a minute and then it is OOMKilled, every time",
    ],
)
def test_what_comes_back_is_not_over(text: str) -> None:
    assert sure(text)[:1] == ["coredns-oom"]


@pytest.mark.parametrize(
    ("plain", "failing", "page"),
    [
        (
            "the liveness probe of cart uses /live",
            "the liveness probe of cart kills it",
            "liveness",
        ),
        (
            "etcd: health check took 3ms",
            "etcd: health check fails, members lose connectivity, API latency is 3s",
            "etcd-connectivity",
        ),
        (
            "node-7 was drained and replaced as planned",
            "errors when node-7 was drained and replaced",
            "errors-during-rollout",
        ),
    ],
)
def test_words_alone_are_sure_only_of_a_failure(plain: str, failing: str, page: str) -> None:
    assert rank(plain)[0].id.startswith(page)
    assert sure(plain) == []
    assert sure(failing)[0].startswith(page)


def test_two_stems_of_a_longer_title_do_not_name_a_page() -> None:
    """The id is database-connections-used-up, and half of it is ignored."""
    assert sure("the database connection of the blog") == []
    assert sure("database connections are used up") == ["database-connections-used-up"]


@pytest.mark.parametrize(
    ("text", "page", "sibling"),
    [
        (
            "lookup cart.shop.svc.cluster.local on 10.96.0.10:53: no such host",
            "reference-to-missing-service",
            "dns-latency-ndots",
        ),
        (
            "MountDevice failed: bad superblock on /dev/sdc",
            "mount-refused",
            "volume-attach-stuck",
        ),
        (
            "index has read-only-allow-delete block, flood stage watermark exceeded",
            "volume-full",
            "node-disk-full-container-logs",
        ),
        (
            "hpa at 8 of 8 replicas, load is high",
            "autoscaler-at-maximum",
            "autoscaler-cannot-scale",
        ),
        ("metallb: no available IPs for the pool", "load-balancer-pending", "pod-ip-exhaustion"),
        (
            "w-3 Ready,SchedulingDisabled, no pod lands",
            "taint-not-tolerated",
            "scheduler-not-working",
        ),
        ("port 9100 already in use on each node", "host-port-taken", "crash-configuration"),
        (
            "exit code 137 after memory climbs to 2 GiB",
            "memory-limit-reached",
            "kubelet-memory-leak",
        ),
    ],
)
def test_what_only_one_page_is_about_decides(text: str, page: str, sibling: str) -> None:
    assert page in [match.id for match in rank(text)[:2]]
    assert sibling not in sure(text)


@pytest.mark.parametrize(
    "text",
    [
        "Autoscaler on AWS does not scale up",
        "Check the dmesg log on the node where the mount of a pvc fails, or the csi plugin container",
    ],
)
def test_no_page_is_sure_behind_one_whose_words_fit_better(text: str) -> None:
    """The first page is not told whole, so the text is of another fault or of too little."""
    assert sure(text) == []


@pytest.mark.parametrize(
    ("line", "guide", "told", "story"),
    [
        (
            'MountVolume.SetUp failed for volume "tls" : secret "gateway-tls" not found',
            "config-missing",
            "the credentials come too late, each new pod hangs on FailedMount: secret not found",
            "secret-not-found-blocks-deployments",
        ),
        (
            'Warning  Failed  kubelet  Error: secret "db-login" not found',
            "config-missing",
            "the external secrets controller queues up, deployments wait for a secret not found",
            "secret-not-found-blocks-deployments",
        ),
    ],
)
def test_a_line_of_a_program_shows_the_fault_and_not_the_story_behind_it(
    line: str, guide: str, told: str, story: str
) -> None:
    assert sure(line) == [guide]
    assert MATCHER.match_words(line)[0].id == guide
    assert sure(told)[:1] == [story]


@pytest.mark.parametrize(
    "text",
    [
        "On January 4th the company had a large outage. Error rates climbed, and the site became"
        " unavailable due to packet loss and high latency in the provider's gateways for an hour.",
        "Most add-ons of the browser stopped working in May. The incident began when a certificate"
        " that signs add-ons expired, so that the browser could not tell whether they are genuine.",
    ],
)
def test_a_report_that_names_nothing_of_a_cluster_makes_no_page_sure(text: str) -> None:
    assert sure(text) == []


@pytest.mark.parametrize("text", ["GPU autoscaling", "the autoscaler of the cluster", "our HPA"])
def test_a_subject_alone_makes_no_page_sure(text: str) -> None:
    assert sure(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Allow to set the liveness probe in the chart",
        "feat(chart): make livenessProbe configurable",
        "Could you add a PodDisruptionBudget to the chart?",
        "what does OOMKilled mean?",
        "reminder: CoreDNS upgrade tomorrow, DNS outage of a minute",
    ],
)
def test_a_wish_or_a_notice_is_no_failure(text: str) -> None:
    assert sure(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "how do I get rid of a namespace that is stuck in Terminating",
        "how many pods is too many? a cronjob has left thousands of them",
        "can pods be created at all? forbidden: exceeded quota: compute-resources, limited: pods=20",
        "does anyone else see Multi-Attach error for volume?",
    ],
)
def test_a_failure_that_is_told_as_a_question_stays_sure(text: str) -> None:
    assert rank(text)[0].confident


@pytest.mark.parametrize(
    ("unsure", "sure_of"),
    [
        ("did anybody order more GPUs", "0/4 nodes are available: 4 Insufficient nvidia.com/gpu"),
        (
            "this page has an nxdomain",
            "pod web-0 on node-3: DNS look-ups time out after 5 s, ndots:5",
        ),
        (
            "kubelet on worker-2 does not start after its reboot",
            "coredns pods are OOMKilled, DNS fails in the cluster",
        ),
        ("rsync to the NAS: permission denied", "exec /usr/local/bin/app: exec format error"),
    ],
    ids=["subject", "no thing of a cluster", "half of a story", "another machine"],
)
def test_words_are_sure_where_they_agree_or_tell_a_failure(unsure: str, sure_of: str) -> None:
    assert sure(unsure) == []
    assert sure(sure_of)


@pytest.mark.parametrize(
    "text",
    [
        "two things: the image pull of mailer is denied, and the postgres pvc is 100% full",
        "node-5 has DiskPressure, and unrelated to it the job invoice hit its backoffLimit",
        'From the docs: "a container that exceeds its memory limit is OOMKilled"',
        "The documentation says that an eviction is refused when the budget allows no disruption",
    ],
)
def test_two_failures_and_a_text_about_a_text_are_sure_of_no_page(text: str) -> None:
    assert sure(text) == []


def test_what_is_not_sure_first_is_not_sure_below() -> None:
    for case in (*TEXTS, *HELD_OUT, *FRESH, *UNSEEN):
        ranked = rank(case["text"])
        if ranked and not ranked[0].confident:
            assert not any(match.confident for match in ranked), case["text"]


def test_words_in_common_stand_in_the_text() -> None:
    """Names of the vocabulary (`samenode`, `http502`) never reach the reader."""
    seen = 0
    for case in UNSEEN[::5]:
        for match in rank(case["text"]):
            for reason in match.for_:
                said, _, words = reason.text.partition("the text says “")
                if not said:
                    seen += 1
                    parts = words.removesuffix("”").split(" … ")
                    assert all(part in fold(case["text"]) for part in parts), words
    assert seen > 0


@pytest.mark.parametrize(
    "case",
    [case for case in TEXTS if case["source"].startswith("http")][::7],
    ids=lambda case: case["text"][:40],
)
def test_the_score_is_explained_and_between_0_and_1(case: dict[str, Any]) -> None:
    for match in rank(case["text"]):
        assert 0 <= match.score <= 1
        assert match.for_
    assert MATCHER.match_words(case["text"]) == again().match_words(case["text"]), (
        "the same text gives the same answer"
    )


def test_what_fits_nothing_says_what_it_reads_like() -> None:
    matches = rank("Helm chart: the release cannot be uninstalled")
    assert not any(match.confident for match in matches)
    assert any("Helm" in reason.text for match in matches for reason in match.against)


@pytest.mark.parametrize(
    "text",
    [
        "pods",
        "error",
        "disk",
        "upgrade",
        "not working",
        "nothing works",
        "timeout",
        "NotReady",
        "ContainerCreating",
        "CrashLoopBackOff",
        "pods keep restarting",
        "secret key",
        "asdf qwer zxcv lkjh",
        "Der Drucker im dritten Stock druckt nicht",
        "今天天气很好我们去公园",
        "Всё сломалось, помогите",
        "npm ERR! code ELIFECYCLE",
        "my laptop: no space left on device",
        "video call from home: packet loss of 12%",
        "gitlab-runner: Job failed",
        "leader election lost, exiting",
    ],
)
def test_what_says_too_little_or_something_else_is_not_taken_for_a_failure(text: str) -> None:
    assert not any(match.confident for match in rank(text))


PLAIN_NAMES = {
    "service selector mismatch": "service-selector-mismatch",
    "pvc pending": "claim-pending",
    "node packet loss": "network-packet-loss",
    "image pull secret missing": "image-pull-refused",
    "wrong image tag": "image-not-found",
    "quota exceeded": "quota-used-up",
    "insufficient cpu": "not-enough-capacity",
    "readiness probe failing": "readiness-probe-fails",
    "liveness probe timeout": "liveness-probe-kills",
    "hpa not scaling": "autoscaler-cannot-scale",
    "pdb blocks drain": "disruption-budget-blocks",
    "expired certificate": "certificate-expired",
    "clock skew": "clock-skew",
    "namespace terminating forever": "namespace-stuck-terminating",
    "metrics server down": "aggregated-api-unavailable",
    "node not ready": "node-not-ready",
    "init container stuck": "init-container-not-finished",
    "configmap missing": "config-missing",
    "oom killed container": "memory-limit-reached",
    "too many connections to database": "database-connections-used-up",
    "system OOM, the workers dropped out and are not ready": "nodes-notready-system-oom",
    "nodes ran out of RAM, kubelet died and nodes are not ready": "nodes-notready-system-oom",
}


@pytest.mark.parametrize("text", PLAIN_NAMES)
def test_a_short_plain_name_of_a_fault_is_enough(text: str) -> None:
    match = rank(text)[0]
    assert (match.id, match.confident, match.against) == (PLAIN_NAMES[text], True, ())


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("inotify_add_watch failed: no space left on device", "node-disk-full-container-logs"),
        ("mkdir /sys/fs/cgroup/pod12: no space left on device", "node-disk-full-container-logs"),
        ("target group: 3 targets detached from the load balancer", "ingress-controller-oom"),
        ("connection timed out, conntrack table is full on node-3", "dns-latency-ndots"),
        ("EgressTrafficDrop: egress throughput dropped 40%", "egress-snat-misconfigured"),
        ("Traffic drop alert: requests per second dropped by 80%", "errors-during-rollout"),
        ("namespace stuck in Terminating", "container-runtime-hung"),
        ("Memory cgroup out of memory: Killed process 12 (java)", "node-disk-full-container-logs"),
        (
            "failed to create fsnotify watcher: no space left on device",
            "node-disk-full-container-logs",
        ),
        (
            "the server localhost:8080 was refused - right host or port?",
            "ingress-routes-lost-api-server-down",
        ),
        (
            "could not write to file pg_wal: No space left on device",
            "node-disk-full-container-logs",
        ),
    ],
)
def test_words_that_are_alike_are_not_taken_for_another_failure(text: str, other: str) -> None:
    assert not any(match.confident and match.id == other for match in rank(text))


def test_what_refutes_never_speaks_against_a_page_that_the_text_names() -> None:
    text = "dns-latency-ndots: connection timed out, conntrack table is full"
    match = rank(text)[0]
    assert (match.id, match.against) == ("dns-latency-ndots", ())


def test_a_guide_with_the_error_line_stands_above_a_story_without_it() -> None:
    match = rank("couldn't find key DATABASE_URL in Secret shop/backend-env")[0]
    assert (match.id, match.confident) == ("config-missing", True)


def test_a_story_stands_above_a_guide_when_both_fit() -> None:
    for case in [case for case in FRESH if case["expected"]]:
        ranked = rank(case["text"])
        scores = [match.score for match in ranked]
        assert scores == sorted(scores, reverse=True), case["text"]


@pytest.mark.parametrize(
    "text",
    [
        "memory leak node pod etcd " * 900,
        "x" * 20_000,
        "a." * 10_000,
        "upgrade x " * 2_000,
        "(" * 20_000,
    ],
)
def test_a_large_paste_is_ranked_in_little_time(text: str) -> None:
    begin = time.process_time()
    MATCHER.match_words(text)
    assert time.process_time() - begin < 1.0, "CPU seconds; typing goes on meanwhile"


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\n", "???", "0", "a", "\u202e\x1b[31m", "挖", "x" * 100_000, "pod " * 20_000],
)
def test_odd_input_gives_an_answer(text: str) -> None:
    assert not any(match.confident for match in rank(text))


def test_typos_and_other_words() -> None:
    assert rank("PLEG is not helthy")[0].id == "container-runtime-hung"
    assert rank("kubelt memmory leak")[0].id == "kubelet-memory-leak"
    assert rank("KubeletPlegDurationHigh")[0].id == "container-runtime-hung"
    assert rank("服务器被挖矿")[0].id == "cryptomining-exposed-dashboard"


@given(st.text(max_size=300))
@settings(max_examples=60)
def test_any_text_is_split_and_folded(text: str) -> None:
    assert all(term.stem for term in terms(text))
    assert fold(fold(text)) == fold(text)


def test_needs_never_lose_a_match() -> None:
    documents = [*map(document, LIBRARY.runbooks), *outside()]
    samples = [fold(case["text"]) for case in (*TEXTS, *HELD_OUT, *FRESH)] + [
        fold(text) for one in documents for _, text in one.phrases
    ]
    for pattern in {pattern for one in documents for pattern in one.patterns}:
        compiled = re.compile(pattern.expression, re.IGNORECASE)
        lost = [
            text
            for text in samples
            if not any(part in text for part in pattern.needs or ("",)) and compiled.search(text)
        ]
        assert not lost, (pattern.expression, lost[:3])
        assert all(compiled.search(fold(text)) for text in pattern.shows), pattern


def test_a_changed_library_is_seen(tmp_path: Path) -> None:
    (tmp_path / "team.md").write_text("---\nid: team\ntitle: The frobnicator is jammed\n---\n# x\n")
    library = Library([tmp_path])
    matcher = Matcher(library)
    assert matcher.match_words("frobnicator jammed")[0].id == "team"
    (tmp_path / "team.md").write_text("---\nid: team\ntitle: The gizmo is bent\n---\n# x\n")
    library.refresh()
    assert matcher.match_words("gizmo bent")[0].id == "team"
