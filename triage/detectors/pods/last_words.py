"""What a failing container said last: from its log where that may be read, from its termination
message and from the output of its exec probes otherwise.

A sentence that several workloads say about one Service is a finding of that Service.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cluster.kube.objects import Pod, Ref, Service
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_ready, statuses
from cluster.kube.text import clean_json
from triage.detectors.pods.dependencies import FULL, failing_services
from triage.detectors.pods.memory_limits import at_start, kills_at_start, limit_of
from triage.detectors.pods.own_state import adds
from triage.detectors.pods.unresolved_names import services_of, unresolved
from triage.detectors.registry import cluster_detector, object_detector
from triage.facts.addresses import Resolved, Standing, resolve
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import LastWords, Sample
from triage.facts.network_policies import blocks, blocks_names
from triage.facts.windows import EDGE, RECENT
from triage.logs.address import Address

# Imported at first use: its patterns take 10 ms, and most clusters need none of them at first.
if TYPE_CHECKING:
    from triage.logs.classify import Classification

FAILING = (
    "pod-crash-looping",
    "pod-init-waiting",
    "pod-not-ready",
    "pod-liveness-killed",
    "pod-half-ended",
    "pod-restarted",
    "job-failed",
)
"""Findings of pods with useful logs, the most useful first."""
_SELF = frozenset({"unreachable", "name-not-found", "tls-refused", "file-missing", "panic"})
"""Classes of a failing probe that do not concern a peer: the kubelet's own words, and a file or
program that the probe looks for as a sign of health."""
_PROBE = re.compile(r"^\w+ probe (?:failed|errored(?: and resulted in \w+ state)?): ")
_BY_API = re.compile(r"is forbidden|serviceaccount|/apis?/|kubernetes", re.IGNORECASE)
"""Refused by the Kubernetes API, not by a database or a cloud."""
_OFF_CLAIMS = re.compile(
    r"shared memory|/dev/shm|shm_open|(?<![\w.-])/(?:var/)?(?:tmp|run)/", re.IGNORECASE
)
"""Files that are in memory, or where no claim is mounted."""
_PORTS = (
    (5432, ("postgres", "psql", "pg_", "sorry, too many clients", "connection slots", 'role "')),
    (3306, ("mysql", "maria", "error 1040", "too many connections")),
    (6379, ("redis", "max number of clients", "maxmemory")),
    (27017, ("mongo",)),
    (5672, ("amqp", "rabbit")),
)
"""The usual port for a sentence without an address, by its words."""
_NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of containerd and Docker for a process that never began: it has no words of its own."""


@functools.lru_cache(maxsize=512)
def _verdict(text: str) -> Classification | None:
    from triage.logs.classify import verdict

    return verdict([clean_json(row) for row in text.split("\n")])


def _of_runtime(message: str) -> Classification | None:
    """The last line of what the runtime says of a container that it cannot start."""
    from triage.logs.classify import Classification, sentence

    lines = [clean_json(row) for row in message.split("\n") if row.strip()]
    return Classification("cannot-start", sentence(lines[-1]), None, 0) if lines else None


@object_detector("Pod")
def said(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Termination messages of containers that ended with an error, and the output of exec probes
    that fail: seen without the right to read logs."""
    ref = ref_of(pod)
    for status in statuses(pod):
        end = status.state.terminated or status.last_state.terminated
        looping = status.state.waiting is not None
        if end is None or not end.exit_code or not end.message:
            continue
        if not looping and not view.within(end.finished_at, RECENT):
            continue
        if end.reason in _NEVER_RAN:  # the words are of the runtime, not of the program
            found, head = _of_runtime(end.message), "cannot start"
        else:
            found, head = _verdict(end.message), _exits(end.exit_code, status.name, pod)
        if found is None:
            continue
        path = f"status.containerStatuses[{status.name}] termination message"
        evidence = field_evidence(ref, path, found.sentence, end.finished_at)
        severe = looping or status.state.terminated is not None
        words = _finding(pod, status.name, found, severe, head, end.exit_code, evidence, view)
        if end.reason in _NEVER_RAN and kills_at_start(end.message):
            claim = f"is {at_start(limit_of(pod.spec, status.name))}"
            words = replace(words, claim=claim, facts={**words.facts, "class": "out-of-memory"})
        yield words
        return
    for event in reversed(view.events_of(pod)):
        if event.reason != "Unhealthy" or not view.within(event.last, EDGE):
            continue
        found = _verdict(_PROBE.sub("", event.message))
        if found is None or found.class_ in _SELF:
            continue
        yield replace(
            _finding(
                pod,
                "",
                found,
                not is_ready(pod),
                "fails its probe",
                None,
                event_evidence(event),
                view,
            ),
            since=event.first,
            since_source=SinceSource.EVENT,
        )
        return


@cluster_detector
def last_words(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """The sentence that decides in each log that was read, and the Services that several of them
    name."""
    found = {f.id: f for f in index.rule("pod-last-words")}
    sample = view.sources.last_words
    for words in _telling(sample):
        assert sample is not None
        finding = _from_log(words, sample, view, index)
        if finding is not None:
            found[finding.id] = finding
            yield finding
    by_dns = frozenset[Ref]()
    if (nameless := unresolved(found.values(), view, index)) is not None:
        yield nameless
        by_dns = services_of(found.values(), view)
    yield from failing_services(found.values(), view, index, by_dns)


def _telling(sample: Sample[LastWords] | None) -> Iterable[LastWords]:
    """The log of each container that decides: that of the run before where the present one has not
    said anything yet."""
    told: dict[tuple[Ref, str], LastWords] = {}
    for words in sample.values if sample is not None else ():
        before = told.get((words.pod, words.container))
        if before is None or words.verdict is not None or before.verdict is None:
            told[words.pod, words.container] = words
    return told.values()


def _from_log(
    words: LastWords, sample: Sample[LastWords], view: ClusterView, index: FindingIndex
) -> Finding | None:
    pod = view.store.get(*words.pod)
    about = {f.rule: f for f in index.about(words.pod)}
    base = next((about[rule] for rule in FAILING if rule in about), None)
    if not isinstance(pod, Pod):
        return None
    owner = view.owner(pod)
    if base is None:  # of its workload, or of the Job that a CronJob owns
        owners = (owner, controller_of(pod.metadata))
        about = {f.rule: f for o in owners if o is not None for f in index.about(o)}
        base = next((about[rule] for rule in FAILING if rule in about), None)
    if base is None:
        return None
    code = _exit_code(pod, words.container)
    head = _exits(code, words.container, pod) if code else "is not ready"
    if base.rule == "pod-init-waiting":
        head = f"waits in {words.container}"
    elif base.rule == "pod-liveness-killed":
        head = "is killed by its probe"
    severe = base.severity is not Severity.INFO
    if words.verdict is None:
        if not code or not words.last_line:
            return None
        from triage.logs.classify import Classification

        said = Classification("", words.last_line, None, 0)
        head = "the log's last line"
        severe = False
    else:
        said = words.verdict
    which = "log of the previous run" if words.previous else "log"
    old = ""
    if words.read is not None:
        which = f"log that was read at {words.read:%H:%M} UTC"
        old = f" (read at {words.read:%H:%M} UTC; its newest log is not answered)"
    evidence = Evidence(f"{words.pod} {which} of {words.container}", said.sentence, sample.at)
    mute = any(not one.facts["ready"] for one in index.rule("dns-degraded"))
    finding = _finding(pod, words.container, said, severe, head, code, evidence, view, mute=mute)
    return replace(
        finding,
        claim=finding.claim + old,
        since=base.since,
        since_source=base.since_source,
        active=base.active,
    )


def _exit_code(pod: Pod, container: str) -> int | None:
    for status in statuses(pod):
        if status.name == container:
            end = status.state.terminated or status.last_state.terminated
            return end.exit_code if end is not None else None
    return None


def _finding(
    pod: Pod,
    container: str,
    said: Classification,
    severe: bool,
    head: str,
    code: int | None,
    evidence: Evidence,
    view: ClusterView,
    *,
    mute: bool = False,
) -> Finding:
    """`mute`: no name server is ready, so that a look-up without an answer tells nothing of the
    name."""
    peer = said.address or _usual(said, pod.metadata.namespace, view)
    resolved = resolve(peer, pod.metadata.namespace, view) if peer is not None else None
    near = said.address if said.address and said.address.host not in said.sentence else None
    says = f" ({near})" if near is not None else ""
    says = f" ({resolved.says})" if resolved is not None and resolved.says else says
    lost = mute and said.no_dns
    if lost and resolved is not None and resolved.standing == Standing.NO_SERVICE:
        resolved, says = None, ""
    own = adds(pod, container, said, resolved, view)
    says += own
    quote = said.sentence.rstrip(".") if own else said.sentence
    end = _exit_end(pod, container)
    known = resolved is None or resolved.standing != Standing.NO_SERVICE
    facts: dict[str, Fact] = {
        **view.pod_facts(pod),
        "class": said.class_,
        "sentence": said.sentence,
        "container": container,
        "exit_code": code,
        "host": peer.host if peer is not None else "",
        "port": peer.port if peer is not None else 0,
        "no_dns": lost or (known and said.no_dns),
        "no_answer": said.no_dns,
        "proven": _proven(said, pod),
        "by_api": said.class_ == "api-forbidden" and _BY_API.search(said.sentence) is not None,
        "policed": _policed(pod, said, resolved, peer, view),
        **_service_facts(resolved),
    }
    return make(
        "pod-last-words",
        ref_of(pod),
        f"{head}: {quote}{says}",
        Severity.WARNING if severe else Severity.INFO,
        "as severe as what it explains",
        since=end or pod.metadata.creation_timestamp,
        source=SinceSource.STATUS if end else SinceSource.CREATION,
        detail=container,
        evidence=[evidence],
        facts=facts,
        related=[resolved.service] if resolved is not None and resolved.service else (),
    )


def _policed(
    pod: Pod,
    said: Classification,
    resolved: Resolved | None,
    peer: Address | None,
    view: ClusterView,
) -> bool:
    """Whether NetworkPolicies block what the pod fails to reach."""
    if said.class_ == "name-not-found":
        return blocks_names(pod, view)
    if said.class_ != "unreachable":
        return False
    ref = resolved.service if resolved is not None else None
    row = view.store.get(*ref) if ref is not None else None
    service = row if isinstance(row, Service) else None
    return blocks(pod, service, peer.port if peer is not None else 0, view)


def _proven(said: Classification, pod: Pod) -> bool:
    """Whether the words prove their class. A call without words of connecting is one where they
    name its peer; a full disk is that of a claim where the pod has one."""
    if said.class_ == "disk-full":
        return bool(pod.spec.claims) and _OFF_CLAIMS.search(said.sentence) is None
    return said.proven or (said.class_ == "unreachable" and said.address is not None)


def _service_facts(resolved: Resolved | None) -> dict[str, Fact]:
    service = resolved.service if resolved is not None else None
    return {
        "service": f"{service.namespace}/{service.name}" if service is not None else "",
        "standing": str(resolved.standing) if resolved is not None else "",
    }


def _exits(code: int, container: str, pod: Pod) -> str:
    """`exits 1`, `exits 1 in init container migrate`: the pod's own containers never began then."""
    init = any(status.name == container for status in pod.status.init_container_statuses)
    return f"exits {code} in init container {container}" if init else f"exits {code}"


def _exit_end(pod: Pod, container: str) -> datetime | None:
    for status in statuses(pod):
        end = status.state.terminated or status.last_state.terminated
        if status.name == container and end is not None:
            return end.finished_at
    return None


def _usual(said: Classification, namespace: str, view: ClusterView) -> Address | None:
    """The only Service with the usual port of a server that a sentence speaks of without its
    address: in the namespace, or in the cluster where there is none."""
    if said.class_ not in FULL:
        return None
    words = said.sentence.lower()
    port = next((port for port, names in _PORTS if any(n in words for n in names)), 0)
    if not port:
        return None
    rows = [
        r for r in view.store.all("Service", Service) if any(p.port == port for p in r.spec.ports)
    ]
    rows = [r for r in rows if r.metadata.namespace == namespace] or rows
    if len(rows) != 1:
        return None
    meta = rows[0].metadata
    return Address(f"{meta.name}.{meta.namespace}.svc", port)
