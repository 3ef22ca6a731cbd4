"""What failing containers said last: the first line, the Service that is meant, and the twins."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from cluster.kube.objects import Ref
from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.members.nodes import static
from tests.triage.situation import MATCHER, background, look, service
from triage.facts.finding import Finding, Report, Severity, Symptom
from triage.facts.measurements import LastWords
from triage.logs.address import Address
from triage.logs.classify import verdict


def crashing(
    cluster: Cluster, name: str, namespace: str = "shop", *, message: str = "", **more: Any
) -> dict[str, Any]:
    raw = cluster.deployment(name, namespace, replicas=1, **more)
    pod: dict[str, Any] = raw["pods"][0]
    end = {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": ts(ago(minutes=2, seconds=5)),
        "finishedAt": ts(ago(minutes=2)),
    }
    cluster.waiting(pod, "CrashLoopBackOff", restarts=6, last=end, phase="Running")
    return pod


def words(pod: dict[str, Any], *lines: str) -> LastWords:
    meta = pod["metadata"]
    ref = Ref("Pod", meta["namespace"], meta["name"])
    return LastWords(ref, "app", verdict(lines), lines[-1])


def first(report: Report) -> Symptom:
    return report.symptoms[0]


def told(report: Report, rule: str = "pod-last-words") -> list[Finding]:
    return [f for f in report.findings if f.rule == rule]


def test_the_sentence_that_decides_is_the_first_line() -> None:
    cluster = background()
    pod = crashing(cluster, "orders")
    report = look(cluster, [words(pod, "Access denied for user 'orders'@'10.1.1.1'")])
    assert first(report).title == "orders exits 1: Access denied for user 'orders'@'10.1.1.1'"
    assert first(report).mechanism == "pod-last-words"
    (finding,) = told(report)
    assert finding.facts["class"] == "credentials-refused"


def test_an_address_beside_the_sentence_that_decides_is_told_with_it() -> None:
    cluster = background()
    lines = ("dial tcp 10.96.44.12:27777: connect: connection refused", "no reachable servers")
    report = look(cluster, [words(crashing(cluster, "orders"), *lines)])
    assert first(report).title == "orders exits 1: no reachable servers (10.96.44.12:27777)"


def test_the_error_inside_a_line_of_mongodb_decides() -> None:
    cluster = background()
    line = (
        '{"s":"F","c":"CONTROL","ctx":"main","msg":"Error during global initialization","attr":'
        '{"error":{"code":140,"errmsg":"cannot read certificate file: /etc/ssl/mongo.pem: '
        'No such file or directory"}}}'
    )
    report = look(cluster, [words(crashing(cluster, "mongodb"), line)])
    assert "/etc/ssl/mongo.pem: No such file" in first(report).title
    assert told(report)[0].facts["class"] == "file-missing"


def test_without_the_log_the_crash_is_told_as_before() -> None:
    cluster = background()
    crashing(cluster, "orders")
    report = look(cluster)
    assert told(report) == []
    assert first(report).mechanism == "pod-crash-looping"


def test_a_termination_message_needs_no_log() -> None:
    cluster = background()
    crashing(cluster, "orders", message="bind: address already in use\n")
    report = look(cluster)
    assert first(report).title == "orders exits 1: bind: address already in use"


@pytest.mark.parametrize(("reason", "quoted"), [("StartError", True), ("Error", False)])
def test_what_the_runtime_says_of_a_container_that_it_cannot_start(
    reason: str, quoted: bool
) -> None:
    cluster = background()
    pod = crashing(
        cluster,
        "train",
        message="OCI runtime create failed: error running prestart hook #0: exit status 1, stderr: "
        "\ngpu-cli: driver/library version mismatch: unknown",
    )
    pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] = reason
    report = look(cluster)
    line = "train cannot start: gpu-cli: driver/library version mismatch: unknown"
    assert (first(report).title == line) is quoted
    pages = [match.id for match in MATCHER.match_symptom(first(report)) if match.confident]
    assert pages == (["container-cannot-start"] if quoted else [])


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
@pytest.mark.parametrize(
    "said",
    [
        'exec: "pyhton": executable file not found in $PATH',
        'exec: "./run.sh": permission denied',
        "exec /app/run.sh: no such file or directory",
        "exec /app/run: invalid argument",
        "error mounting config.yaml to rootfs: not a directory",
    ],
)
def test_words_of_the_runtime_are_none_of_a_program_that_never_ran(reason: str, said: str) -> None:
    cluster = background()
    message = f"failed to create shim task: OCI runtime create failed: runc create failed: {said}"
    pod = crashing(cluster, "train", message=message)
    pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] = reason
    report = look(cluster)
    assert {finding.facts["class"] for finding in told(report)} == {"cannot-start"}
    pages = [match.id for match in MATCHER.match_symptom(first(report)) if match.confident]
    assert pages == ["container-cannot-start"]


def failed_job(cluster: Cluster, *, cronjob: bool, minutes: float = 8) -> dict[str, Any]:
    """A Job that gave up so many minutes ago, and its pod."""
    owner = None
    if cronjob:
        raw = {"metadata": meta("backup", "shop"), "spec": {"schedule": "0 * * * *"}}
        owner = ("CronJob", cluster.add("CronJob", raw))
    end = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    template = {
        "metadata": {"labels": {}},
        "spec": {"containers": [{"name": "app", "image": "x"}]},
    }
    job = cluster.add(
        "Job",
        {
            "metadata": meta("backup-1", "shop", created=ago(minutes=minutes + 1), owner=owner),
            "spec": {"template": template},
            "status": {"conditions": [{**end, "lastTransitionTime": ts(ago(minutes=minutes))}]},
        },
    )
    pod = cluster.pod(job, created=ago(minutes=minutes + 1), name="backup-1-x")
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": ts(ago(minutes=minutes))}
    pod["status"]["phase"] = "Failed"
    pod["status"]["containerStatuses"][0].update(ready=False, state={"terminated": ended})
    return pod


@pytest.mark.parametrize("minutes", [8, 5 * 60], ids=["now", "hours ago"])
@pytest.mark.parametrize("cronjob", [True, False])
def test_a_job_that_gave_up_is_told_by_its_last_words(cronjob: bool, minutes: float) -> None:
    """Also as a note: the Job and the words of its pod are one symptom."""
    cluster = background()
    pod = failed_job(cluster, cronjob=cronjob, minutes=minutes)
    report = look(cluster, [words(pod, "mount: read-only file system: /backup")])
    about = [s for s in report.symptoms if any("backup" in r.name for r in s.objects)]
    assert [s.mechanism for s in about] == ["pod-last-words"]
    assert "exits 1: mount: read-only file system" in about[0].title
    assert "job-failed" in {f.rule for f in about[0].findings}


def test_a_log_without_a_deciding_sentence_is_a_note() -> None:
    cluster = background()
    pod = crashing(cluster, "orders")
    report = look(cluster, [words(pod, "starting", "bye")])
    assert first(report).mechanism == "pod-crash-looping"
    (finding,) = told(report)
    assert finding.severity is Severity.INFO
    assert finding.claim == "the log's last line: bye"


def test_words_of_a_pod_that_is_well_again_are_not_told() -> None:
    cluster = background()
    pod = cluster.deployment("orders", "shop", replicas=1)["pods"][0]
    report = look(cluster, [words(pod, "bind: address already in use")])
    assert told(report) == []


@pytest.mark.parametrize(
    ("sentence", "port", "standing", "says"),
    [
        ("dial tcp: lookup orders-db on 10.2.0.10:53: no such host", 5432, "no-service", "nearest"),
        ("dial tcp 10.2.0.9:5433: connect: connection refused", 5432, "no-port", "has port 5432"),
        ("dial tcp orderz-db:5432: connect: connection refused", 5432, "ready", ""),
        ("connect ECONNREFUSED 127.0.0.1:5432", 5432, "itself", "the pod itself"),
        ("dial tcp 203.0.113.9:443: i/o timeout", 5432, "outside", ""),
        ("getaddrinfo ENOTFOUND api.example.com", 5432, "outside", ""),
    ],
)
def test_an_address_is_compared_with_the_services(
    sentence: str, port: int, standing: str, says: str
) -> None:
    cluster = background()
    cluster.deployment("orderz-db", "shop", replicas=1)
    service(cluster, "orderz-db", "shop", {"app": "orderz-db"}, port=port)
    pod = crashing(cluster, "orders")
    (finding,) = told(look(cluster, [words(pod, sentence)]))
    assert finding.facts["standing"] == standing
    assert says in finding.claim


def test_a_look_up_that_times_out_is_no_fault_of_the_service_that_was_looked_up() -> None:
    cluster = background()
    cluster.deployment("orders-db", "shop", replicas=1)
    service(cluster, "orders-db", "shop", {"app": "orders-db"}, port=5432)
    pods = [crashing(cluster, name) for name in ("orders", "cart", "invoice")]
    name = "lookup orders-db.shop.svc.cluster.local on 10.96.0.10:53: read udp: i/o timeout"
    said = [words(pod, f"dial tcp: {name}") for pod in pods]
    assert told(look(cluster, said))
    assert not told(look(cluster, said), "dependency-failing")
    refused = [words(pod, "dial tcp orders-db:5432: i/o timeout") for pod in pods]
    assert told(look(cluster, refused), "dependency-failing")


def full_database(callers: int) -> tuple[Cluster, list[LastWords]]:
    cluster = background()
    cluster.deployment("catalogue-db", "shop", replicas=1, kind="StatefulSet")
    service(cluster, "catalogue-db", "shop", {"app": "catalogue-db"}, port=3306)
    pods = [crashing(cluster, f"caller-{n}") for n in range(callers)]
    return cluster, [words(pod, "ERROR 1040 (HY000): Too many connections") for pod in pods]


def test_a_database_that_is_full_is_one_symptom() -> None:
    cluster, said = full_database(8)
    report = look(cluster, said)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1
    assert loud[0].severity is Severity.CRITICAL
    assert loud[0].objects[0] == Ref("Service", "shop", "catalogue-db")
    assert loud[0].title.startswith(
        "Service catalogue-db has no connection left for caller-0, caller-1 and 6 more: "
    )
    assert loud[0].mechanism == "dependency-failing"


def test_a_cache_without_memory_is_the_fault_not_its_clients() -> None:
    cluster = background()
    service(cluster, "sessions", "shop", {"app": "sessions"}, port=6379)
    full = "OOM command not allowed when used memory > 'maxmemory'."
    said = [words(crashing(cluster, name), full) for name in ("orders", "billing")]
    loud = [s for s in look(cluster, said).symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1
    assert loud[0].objects[0] == Ref("Service", "shop", "sessions")
    assert loud[0].title.startswith("Service sessions has no memory left for billing and orders: ")


def probe_says(message: str) -> list[Finding]:
    """The findings of a ready database whose readiness probe failed with this message."""
    cluster, _ = full_database(0)
    pod = next(r for k, r in cluster.raw if k == "Pod" and r["metadata"]["name"].startswith("cat"))
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    text = f"Readiness probe failed: {message}"
    cluster.event("Pod", "shop", name, "Unhealthy", text, ago(minutes=1), uid_=uid)
    return told(look(cluster))


def test_its_own_probe_says_so_although_it_is_ready() -> None:
    (finding,) = probe_says("ERROR 1040 (HY000): Too many connections")
    assert finding.facts["class"] == "too-many-connections"


@pytest.mark.parametrize(
    "message",
    [
        "dial tcp 10.1.0.3:3306: connect: connection refused",
        "cat: /run/healthy: No such file or directory",
        "sh: pg_is_fine: not found",
    ],
)
def test_what_a_probe_looks_for_is_not_another_side(message: str) -> None:
    assert probe_says(message) == []


def test_the_output_of_a_probe_stands_behind_a_verb() -> None:
    (finding,) = probe_says("ERROR 1040 (HY000): Too many connections")
    assert finding.claim.startswith("fails its probe: ERROR 1040")


@pytest.mark.parametrize("init", [True, False])
def test_a_crash_before_the_containers_began_names_the_init_container(init: bool) -> None:
    cluster = background()
    pod = crashing(cluster, "orders")
    if init:
        pod["status"]["initContainerStatuses"] = pod["status"].pop("containerStatuses")
        pod["status"]["containerStatuses"] = []
    silent = " is in a crash loop (init container app, exit 1)" if init else " is in a crash loop "
    assert first(look(cluster)).title.startswith(f"orders{silent}")
    where = " in init container app" if init else ""
    said = [words(pod, "syntax error: unexpected end of file")]
    assert first(look(cluster, said)).title.startswith(f"orders exits 1{where}: syntax error")


def test_callers_of_a_service_without_ready_pods_belong_to_it() -> None:
    cluster = background()
    database = crashing(cluster, "orders-db")
    service(cluster, "orders-db", "shop", {"app": "orders-db"}, port=5432, ready=False)
    callers = [crashing(cluster, name) for name in ("orders", "billing")]
    refused = "dial tcp orders-db:5432: connect: connection refused"
    said = [
        words(database, "PANIC: No space left on device"),
        *(words(p, refused) for p in callers),
    ]
    report = look(cluster, said)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1
    assert Ref("Service", "shop", "orders-db") in loud[0].objects


def test_workloads_that_fail_for_their_own_reasons_stay_apart() -> None:
    cluster = background()
    one, other = crashing(cluster, "orders"), crashing(cluster, "billing")
    said = [
        words(one, "bind: address already in use"),
        words(other, "open /etc/app.yaml: no such file or directory"),
    ]
    report = look(cluster, said)
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 2


def misled(labels: dict[str, str], *said: str) -> Report:
    """`orders` crashes with these words; Service `orders-db` has that selector."""
    cluster = background()
    cluster.deployment("orders-db", "shop", replicas=1)
    cluster.deployment("orders-ui", "shop", replicas=1)
    service(cluster, "orders-db", "shop", labels, port=5432)
    return look(cluster, [words(crashing(cluster, "orders"), *said)])


@pytest.mark.parametrize(
    "sentence",
    ["dial tcp orders-db:5432: connect: connection refused", "no reachable servers"],
    ids=["named", "unnamed"],
)
def test_a_selector_without_pods_stands_above_what_it_makes_fail(sentence: str) -> None:
    report = misled({"app": "orders-dbs"}, sentence)
    assert first(report).title.startswith(
        "Service orders-db has no ready endpoint: no pod matches its selector app=orders-dbs "
        "(nearest: Deployment shop/orders-db has app=orders-db)"
    )
    assert {f.rule for f in first(report).findings} >= {"service-no-endpoints", "pod-last-words"}
    best = MATCHER.match_symptom(first(report), report)[0]
    assert (best.id, best.confident) == ("service-selector-mismatch", True)


def test_words_about_something_else_stand_apart_from_a_selector_without_pods() -> None:
    report = misled({"app": "orders-dbs"}, "Access denied for user 'orders'@'10.1.1.1'")
    (finding,) = told(report)
    (symptom,) = [s for s in report.symptoms if finding in s.findings]
    assert "service-no-endpoints" not in {f.rule for f in symptom.findings}


def test_a_workload_that_has_no_pod_yet_is_no_wrong_selector() -> None:
    cluster = background()
    raw = cluster.deployment("orders-db", "shop", replicas=1, created=ago(minutes=20))
    gone = {each["metadata"]["name"] for each in raw["pods"]}
    cluster.raw = [
        (kind, each)
        for kind, each in cluster.raw
        if kind != "Pod" or each["metadata"]["name"] not in gone
    ]
    for row in (raw, raw["set"]):
        row["status"].update(replicas=0, readyReplicas=0, availableReplicas=0)
    service(cluster, "orders-db", "shop", {"app": "orders-db"}, port=5432)
    cluster.event(
        "ReplicaSet",
        "shop",
        raw["set"]["metadata"]["name"],
        "FailedCreate",
        'Error creating: pods "x" is forbidden: exceeded quota: team, requested: pods=1, '
        "used: pods=10, limited: pods=10",
        ago(seconds=30),
        first=ago(minutes=20),
    )
    report = look(cluster)
    assert "quota team is used up" in first(report).title
    (finding,) = told(report, "service-no-endpoints")
    assert finding.facts["selector_matches"] is True
    assert "Deployment shop/orders-db has no pod" in finding.claim
    assert finding in first(report).findings
    matches = MATCHER.match_symptom(first(report), report)
    assert "service-selector-mismatch" not in {match.id for match in matches}


def test_dns_that_crashes_is_told_with_its_last_words() -> None:
    cluster = background()
    labels = {"k8s-app": "kube-dns"}
    pod = crashing(cluster, "coredns", "kube-system", labels=labels, image="coredns:1.11")
    pod["metadata"]["labels"] |= labels
    service(cluster, "kube-dns", "kube-system", labels, ready=False)
    said = "/etc/coredns/Corefile:12 - Error during parsing: Unknown directive 'foward'"
    report = look(cluster, [words(pod, said)])
    assert first(report).mechanism == "dns-degraded"
    assert first(report).title.endswith(f"(exits 1: {said})")


@pytest.mark.parametrize("state", ["scaled to 0", "crashing", "well"])
def test_look_ups_without_an_answer_belong_to_the_dns_that_is_down(state: str) -> None:
    cluster, labels = background(), {"app": "coredns"}
    dns = cluster.deployment(
        "coredns", "kube-system", replicas=0 if state == "scaled to 0" else 2, image="coredns:1.11"
    )
    for pod in dns["pods"] if state == "crashing" else []:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=5, phase="Running")
    dns["metadata"]["managedFields"] = [
        managed("kubectl", ago(minutes=20), {"f:spec": {"f:replicas": {}}}, "scale")
    ]
    service(cluster, "kube-dns", "kube-system", labels, port=53, ready=state == "well")
    cluster.deployment("db", "shop", replicas=1)
    service(cluster, "db", "shop", {"app": "db"})
    line = "dial tcp: lookup db.shop.svc on 10.2.0.9:53: read udp 10.1.1.9:5->x: i/o timeout"
    report = look(cluster, [words(crashing(cluster, name), line) for name in ("web", "api")])
    top = first(report)
    matches = MATCHER.match_symptom(top, report)
    if state == "well":
        assert top.mechanism == "pod-last-words"
        assert matches[0].id == "crash-dependency-unreachable"
        return
    assert top.mechanism == "dns-degraded"
    assert len(report.symptoms) == 1
    assert "exits" not in top.title, "these are the words of others"
    assert {f.object.name.split("-")[0] for f in top.findings} >= {"web", "api", "coredns"}
    sure = [match.id for match in matches if match.confident]
    assert sure == (["workload-scaled-to-zero"] if state == "scaled to 0" else [])


@pytest.mark.parametrize(
    "line",
    [
        "lookup db.shop.svc on 10.2.0.9:53: read udp 10.1.1.9:5->x: read: connection refused",
        "Error: getaddrinfo EAI_AGAIN db.shop.svc.cluster.local",
        "could not translate host name: Temporary failure in name resolution: db.shop.svc",
    ],
)
@pytest.mark.parametrize("ready", [True, False])
def test_while_no_name_server_is_ready_no_name_is_called_missing(line: str, ready: bool) -> None:
    cluster, labels = background(), {"app": "coredns"}
    dns = cluster.deployment("coredns", "kube-system", replicas=2, image="coredns:1.11")
    for pod in [] if ready else dns["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=5, phase="Running")
    service(cluster, "kube-dns", "kube-system", labels, port=53, ready=ready)
    report = look(cluster, [words(crashing(cluster, name), line) for name in ("web", "api")])
    top = first(report)
    assert (top.mechanism == "dns-degraded") is not ready
    assert any("does not exist" in each.title for each in report.symptoms) is ready
    sure = {m.id for s in report.symptoms for m in MATCHER.match_symptom(s, report) if m.confident}
    assert ("reference-to-missing-service" in sure) <= ready


def crashing_together(*said: tuple[str, str]) -> Report:
    """Workloads that crash, each with its last words."""
    cluster = background()
    for name in ("web", "api"):
        service(cluster, name, "shop", {"app": name})
    return look(cluster, [words(crashing(cluster, name), line) for name, line in said])


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        ("dial tcp: lookup web.shop.svc on 10.2.0.10:53: read udp 10.1.1.9:5->x: i/o timeout", 1),
        ("dial tcp: lookup web on 10.2.0.10:53: dial udp 10.2.0.10:53: connection refused", 1),
        ("dial tcp: lookup web: i/o timeout", 1),
        ("dial tcp: lookup web on 10.2.0.10:53: server misbehaving", 1),
        ("dial tcp: lookup webz on 10.2.0.10:53: no such host", 0),
        ("dial tcp 10.2.0.9:80: i/o timeout", 0),
    ],
)
def test_a_look_up_without_an_answer_is_told_from_a_missing_name(said: str, silent: int) -> None:
    found = verdict([said])
    assert found is not None
    assert found.no_dns is bool(silent)


def test_an_address_behind_the_client_s_own_words() -> None:
    found = verdict(
        [
            "Unhandled exception. StackExchange.Redis.RedisConnectionException: It was not possible"
            " to connect to the redis server(s). UnableToConnect on redis-cart:6380/Interactive, "
            "Initializing/NotStarted, last: NONE, origin: BeginConnectAsync"
        ]
    )
    assert found is not None
    assert (found.class_, found.address) == ("unreachable", Address("redis-cart", 6380))


def test_name_servers_that_do_not_answer_are_one_symptom_and_no_peer() -> None:
    report = crashing_together(
        ("orders", "Error: getaddrinfo EAI_AGAIN web.shop.svc.cluster.local"),
        (
            "mails",
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='api', port=80): Max "
            "retries exceeded with url: / (Caused by NameResolutionError"
            "(\"<urllib3.connection.HTTPConnection object at 0x7f>: Failed to resolve 'api' "
            '([Errno -3] Temporary failure in name resolution)"))',
        ),
    )
    assert told(report, "dependency-failing") == []
    assert {f.object for f in told(report)} <= set(first(report).objects)
    assert first(report).title == (
        "mails and orders cannot resolve api and web, which exist: the cluster's DNS is suspected"
    )
    report = crashing_together(("orders", "Error: getaddrinfo EAI_AGAIN ledgers"))
    assert "there is no Service ledgers" in first(report).title


def test_clients_of_one_server_outside_are_one_symptom() -> None:
    full = 'server at "198.51.100.7", port 5432 failed: FATAL:  sorry, too many clients already'
    report = crashing_together(("orders", full), ("mails", full))
    assert {f.object for f in told(report)} <= set(first(report).objects)
    other = full.replace("198.51.100.7", "198.51.100.8")
    report = crashing_together(("orders", full), ("mails", other))
    assert len({s.id for s in report.symptoms for f in s.findings if f in told(report)}) == 2


def test_the_title_is_the_words_of_the_server_not_of_its_clients() -> None:
    cluster = background()
    damaged = (
        "1:M 29 Nov 2026 10:00:00.120 # Bad file format reading the append only file "
        "appendonly.aof: make a backup of your AOF file"
    )
    redis = crashing(cluster, "redis")
    service(cluster, "redis", "shop", {"app": "redis"}, port=6379, ready=False)
    said = [words(redis, damaged)]
    for name in ("cart", "session"):
        refused = "connect ECONNREFUSED redis:6379"
        said.append(words(crashing(cluster, name), refused))
    report = look(cluster, said)
    assert "redis" in first(report).title
    assert "redis and" not in first(report).title


@pytest.mark.parametrize(
    ("sentence", "guide"),
    [
        (
            'pods is forbidden: User "system:serviceaccount:ops:x" cannot list resource "pods"',
            "forbidden-by-rbac",
        ),
        (
            'not authorized on geo-db to execute command { find: "geo" }',
            "crash-credentials-refused",
        ),
        ("ERROR: permission denied for table orders", "crash-credentials-refused"),
        ("An error occurred (AccessDenied) when calling PutObject", "crash-credentials-refused"),
    ],
)
def test_a_right_that_another_server_refuses_is_not_rbac(sentence: str, guide: str) -> None:
    cluster = background()
    report = look(cluster, [words(crashing(cluster, "orders"), sentence)])
    matches = MATCHER.match_symptom(first(report), report)
    assert [match.id for match in matches if match.confident] == [guide]


def test_a_part_of_the_control_plane_says_on_the_first_line_what_ended_it() -> None:
    cluster = background()
    static(cluster, "kube-scheduler")
    line = (
        'E1129 10:00:01.2 1 run.go:74] "command failed" err="no kind \\"KubeSchedulerConfiguration\\" '
        'is registered for version \\"kubescheduler.config.k8s.io/v1beta2\\""'
    )
    ref = Ref("Pod", "kube-system", "kube-scheduler-cp")
    said = LastWords(ref, "kube-scheduler", verdict([line]), line)
    title = first(look(cluster, [said])).title
    assert title.startswith("kube-scheduler: 0 of 1 ready")
    assert title.endswith(
        '(exits 1: no kind "KubeSchedulerConfiguration" is registered for version '
        '"kubescheduler.config.k8s.io/v1beta2")'
    )


@pytest.mark.parametrize(
    ("own", "quoted"),
    [
        ("FATAL: bootstrap check failure: vm.max_map_count [65530] is too low", "max_map_count"),
        ("stopped", "connection refused"),
    ],
)
def test_the_words_of_the_pod_behind_a_service_come_before_those_of_its_callers(
    own: str, quoted: str
) -> None:
    cluster = background()
    service(cluster, "store", "shop", {"app": "store"}, port=9200)
    said = [words(crashing(cluster, "store"), own)]
    line = 'FATAL: health check: Head "http://store:9200": dial tcp: connect: connection refused'
    said += [words(crashing(cluster, name), line) for name in ("collector", "query")]
    (finding,) = told(look(cluster, said), "dependency-failing")
    head = "does not answer collector and query and has no ready pod: "
    assert finding.claim.startswith(head)
    assert quoted in finding.claim


def test_words_that_were_read_before_are_told_as_old() -> None:
    cluster = background()
    said = words(crashing(cluster, "orders"), "panic: nil map")
    report = look(cluster, [replace(said, read=ago(minutes=6))])
    [finding] = told(report)
    assert finding.claim.endswith("(read at 09:20 UTC; its newest log is not answered)")
    assert first(report).title.startswith("orders exits 1: nil map (read at 09:20 UTC")
    assert "read at 09:20 UTC" in finding.evidence[0].source


@pytest.mark.parametrize(
    ("claim", "text", "page"),
    [
        (True, "write /data/wal/0007: no space left on device", ["volume-full"]),
        (False, "write /data/wal/0007: no space left on device", []),
        (True, "write /tmp/upload-7: no space left on device", []),
        (True, "write /data/tmp/7: no space left on device", ["volume-full"]),
        (True, "{ errno: -28, syscall: 'watch', code: 'ENOSPC' }", ["inotify-or-file-limit"]),
        (True, 'could not resize shared memory segment "/a": No space left on device', []),
    ],
)
def test_a_full_disk_is_a_full_volume_where_the_pod_has_one(
    claim: bool, text: str, page: list[str]
) -> None:
    cluster = background()
    pod = crashing(cluster, "orders")
    if claim:
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        pod["spec"].setdefault("volumes", []).append(volume)
    report = look(cluster, [words(pod, text)])
    found = MATCHER.match_symptom(first(report))
    assert [match.id for match in found if match.confident] == page


def test_the_run_before_decides_while_the_present_one_has_said_nothing() -> None:
    cluster = background()
    pod = crashing(cluster, "orders")
    before = replace(words(pod, "Access denied for user 'o'@'10.1.1.1'"), previous=True)
    report = look(cluster, [before, words(pod, "starting orders")])
    assert "Access denied" in first(report).title
