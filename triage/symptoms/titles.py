"""Short titles for symptoms, made from the finding that says most about the mechanism."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from triage.facts.finding import Finding, Severity
from triage.facts.messages.kubelet import IMAGE_CAUSES
from triage.facts.messages.scheduler import scheduling_text
from triage.facts.messages.wording import first_two
from triage.symptoms.unnamed_peers import complains, explains, owner_of

_TELLING = (
    "api-server-unreachable",
    "component-away",
    "objects-vanished",
    "system-namespaces-recreated",
    "system-workloads-missing",
    "owners-missing",
    "nodes-unknown-together",
    "secret-keys-lost",
    "secret-missing-across-namespaces",
    "nodes-failing-in-turn",
    "daemonset-update-failing",
    "failures-on-new-nodes",
    "cronjob-flood",
    "control-plane-degraded",
    "node-system-oom",
    "dns-degraded",
    "mesh-degraded",
    "ingress-degraded",
    "service-names-unresolved",
    "etcd-errors-in-messages",
    "leader-changes",
    "daemonset-image-drift",
    "webhook-backend-down",
    "apiservice-unavailable",
    "exposed-privileged-workload",
    "stateful-on-emptydir",
    "pods-stuck-on-node",
    "probes-time-out-on-node",
    "node-not-ready",
    "node-network-unavailable",
    "node-pressure",
    "node-rebooted",
    "restarts-together-on-node",
    "sandboxes-recreated-on-node",
    "node-lease-stale",
    "node-flapping",
    "dependency-failing",
    "not-ready-together",
    "pod-sandbox-failed",
    "pod-volume-failed",
    "volume-attachment-failed",
    "issuer-not-ready",
    "certificate-failing",
    "pod-config-missing",
    "pod-container-create-failed",
    "create-failed",
    "quota-exceeded",
    "pods-rejected-in-bulk",
    "pulls-failing-on-node",
    "pod-image-pull-failed",
    "pod-oom-killed",
    "pod-last-words",
    "service-reference-wrong",
    "new-pods-failing",
    "pod-liveness-killed",
    "pod-crash-looping",
    "pod-init-waiting",
    "claim-pending",
    "pod-preempted",
    "pod-unschedulable",
    "pod-evicted",
    "pod-rejected-by-kubelet",
    "statefulset-waits",
    "generation-not-observed",
    "endpoints-not-updated",
)
_RANK = {rule: rank for rank, rule in enumerate(_TELLING)}


def leading(findings: Sequence[Finding]) -> Finding:
    """The finding that says most about the mechanism, among those that count."""
    worst = min(f.severity.rank for f in findings)
    loud = [f for f in findings if f.severity.rank <= max(worst, 1)] or list(findings)
    complaining = {owner_of(f) for f in loud if complains(f)}
    if complaining:  # what they cannot reach says why
        pods = [f for f in loud if f.object.kind == "Pod" and explains(f)]
        loud = [f for f in pods if owner_of(f) not in complaining] or loud
    return min(loud, key=lambda f: (_rank(f), f.severity.rank, f.id))


def _rank(finding: Finding) -> int:
    """How much a finding says about the mechanism. DNS or ingress that only misses a pod is an
    effect."""
    facts = finding.facts
    if finding.rule == "pod-sandbox-failed" and facts.get("cause") == "image":
        return _RANK["failures-on-new-nodes"] - 1  # nothing starts, the network agent included
    if finding.rule == "pod-sandbox-failed" and facts.get("cause") in ("cni-not-ready", "cni"):
        return _RANK["node-rebooted"] - 1
    if (
        finding.rule in ("dns-degraded", "ingress-degraded")
        and facts.get("ready")
        and not facts.get("oom_killed")
        and not facts.get("restarted")
    ):
        return len(_RANK)
    if finding.rule == "pod-not-ready" and facts.get("probe"):
        return len(_RANK)  # the probe says more than the count of replicas
    if finding.rule == "service-no-endpoints" and not facts.get("selector_matches"):
        return _RANK["dependency-failing"] - 1  # why those that call it fail
    if finding.rule == "service-port-mismatch":
        return len(_RANK)  # it says why no endpoint is there
    return _RANK.get(finding.rule, len(_RANK) + 1)


_AGE = re.compile(
    r" \(for \d+ (?:s|min|h|d)\)"
    r"|(?:(?: for| after|, the oldest) \d+ (?:s|min|h|d)| \d+ (?:s|min|h|d) ago)(?=[ :;,.]|$)"
)
_YOUNG = re.compile(r" \(young: [^)]*\)")
"""`for 21 min`, `18 min ago`: true for a minute. A title stays; what shows it says the age beside
it."""
_CLOCK = re.compile(r"\b\d\d:\d\d(?::\d\d)? UTC")


def title(findings: Sequence[Finding]) -> str:
    """One short line: what, where, how many. Does not change with time."""
    text = _AGE.sub("", _YOUNG.sub("", _title(findings)))
    return f"{text} (young)" if leading(findings).young else text


def _title(findings: Sequence[Finding]) -> str:
    return _told(findings) + _agent_words(findings) + _disk_words(findings)


def _disk_words(findings: Sequence[Finding]) -> str:
    """What fills the disk that a title is about: `; container logs …`, without figures, which
    change."""
    lead = leading(findings)
    used = [f for f in findings if f.rule == "node-disk-used" and f.object == lead.object]
    if lead.facts.get("pressure") != "disk" or not used:
        return ""
    facts = used[0].facts
    words = {
        "logs": "container logs fill it",
        "files": "files of pods fill it",
        "images": "images fill it",
        "inodes": "its inodes are used up",
        "other": "something outside of pods and images fills it",
    }[str(facts.get("largest"))]
    return f"; {words}" + (f", most of {facts['top']}" if facts.get("top") else "")


def _agent_words(findings: Sequence[Finding]) -> str:
    """Why the network agent or the proxy fails, where that is the cause of what leads:
    ` (aws-node exits 1: …)`, "" for none. An agent without words of a known class crashes."""
    if leading(findings).rule not in _OF_AN_AGENT:
        return ""
    agents = [f for f in findings if f.facts.get("role") in ("cni", "proxy")]
    said = [f for f in agents if f.rule == "pod-last-words" and f.facts["class"]]
    loops = [f for f in agents if f.rule == "pod-crash-looping"]
    if said:
        return f" ({_last_words(said[:1])})"
    return f" ({_who(loops).be('is')} in a crash loop)" if loops else ""


_OF_AN_AGENT = frozenset(
    {"node-not-ready", "node-network-unavailable", "node-rebooted", "pod-sandbox-failed"}
)
"""Rules of a node whose own agents may say why."""


def _told(findings: Sequence[Finding]) -> str:
    lead = leading(findings)
    facts, same = lead.facts, [f for f in findings if f.rule == lead.rule]
    count = len({f.object for f in same})
    rule = lead.rule
    if rule == "service-no-endpoints":  # others have none since their pods wait for this one
        same = [f for f in same if f.facts.get("nearest") == facts.get("nearest")]
    if lead.object.kind == "Cluster":
        claim = lead.claim.split("; ")[0]
        if rule == "failures-on-new-nodes" and ": " not in claim:
            return claim + _said(findings)
        degraded = [f for f in findings if f.rule == "control-plane-degraded"]
        told = rule in ("control-plane-degraded", "component-away")
        if told and degraded and not degraded[0].facts.get("oom_killed"):
            pods = set(degraded[0].related)
            own = [f for f in findings if f.object in pods and f.severity is not Severity.INFO]
            return claim + _on(own) + _said(own)
        return claim
    who = _who(same)
    if rule == "pod-unschedulable":
        detail = str(facts.get("detail") or "")
        why = scheduling_text(str(facts.get("cause")), detail)
        details = len({str(f.facts.get("detail")) for f in same})
        if facts.get("cause") == "claim-missing" and details > 1:
            owner = str(facts.get("owner") or lead.object.name)
            owners = {str(f.facts.get("owner") or f.object.name) for f in same}
            who = Subject(first_two(sorted(owners)), True) if len(owners) > 1 else Subject(owner)
            why = f"{why} (and {details - 1} more)"
        asked = {str(f.facts.get("asked") or "") for f in same}
        more = f"; {min(asked)}" if len(asked) == 1 and asked != {""} else ""
        return f"{who.be('is')} pending: {why}{more}"
    if rule == "pod-sandbox-failed":
        causes = {
            "ip-exhausted": "no pod addresses left",
            "cni-not-ready": "network plugin not ready",
            "timeout": "container runtime does not answer",
            "name-reserved": "container runtime does not answer",
            "runtime-down": "container runtime does not answer",
            "memory-limit": "killed for memory as they start",
        }
        why = causes.get(str(facts.get("cause")), str(facts.get("said") or "sandbox fails"))
        if any(f.facts.get("agent_away") for f in same):
            why = "the network agent is away"
        return f"{_waiting(same)} not start{_on(same)}: {why}"
    if rule == "pod-volume-failed":
        if len({f.facts.get("owner") or f.object.name for f in same}) == 1:
            owner = str(lead.facts.get("owner") or lead.object.name)
            return re.sub(r"^(volume \S+) ", rf"\1 of {owner} ", lead.claim)
        said = _most_said(same)
        return f"volumes of {count} pods do not attach or mount: {said}"
    if rule == "pod-config-missing":
        what = f"key {facts.get('key')} of " if facts.get("key") else ""
        is_missing = "is missing"
        if all(f.facts.get("exists") and not f.facts.get("key") for f in same):
            is_missing = "was missing (it exists now)"
        return f"{who} cannot start: {what}{facts.get('kind')} {facts.get('name')} {is_missing}"
    if rule == "pod-last-words":
        return _last_words(same)
    if rule == "pod-preempted" and count > 1:
        claims = {f.claim.partition(": ")[0].removeprefix("was ") for f in same}
        names = [lead.object.name, *sorted(f.object.name for f in same)]
        return f"{first_two(names)} were {min(claims)}"
    if rule == "pod-container-create-failed" and count > 1:
        text = lead.claim.removeprefix("does not start: ")
        return f"{count} pods do not start{_on(same)}: {text.split('cannot be created: ')[-1]}"
    if rule == "pods-rejected-in-bulk":
        return lead.claim.replace(" of its pods", f" pods of {lead.object.name}", 1)
    if rule == "pod-image-pull-failed":
        images = {str(f.facts.get("image")) for f in same}
        registries = {str(f.facts.get("registry") or "") for f in same} - {""}
        name = f"image {min(images)}" if len(images) == 1 else "their images"
        if len(images) > 1 and len(registries) == 1:
            name += f" from {min(registries)}"
        cause = IMAGE_CAUSES.get(str(facts.get("cause")), "")
        return f"{who} cannot pull {name}" + (f" ({cause})" if cause else "")
    probe = f"{facts.get('probe_kind') or 'liveness'} probe"
    resource = str(facts.get("resource") or "")
    code = facts.get("exit_code")
    ends = f" (exit {code})" if code else f" ({who.its} command ends: exit 0)" if code == 0 else ""
    short = {
        "pod-crash-looping": ("is", f"in a crash loop{ends}"),
        "pod-oom-killed": ("was", f"killed at {who.its} memory limit"),
        "pod-evicted": (
            "was",
            f"evicted for {who.its} own {resource} limit"
            if facts.get("own_limit")
            else f"evicted: {resource or 'node pressure'}",
        ),
        "pod-not-ready": ("is", "not ready"),
        "pod-not-starting": ("is", "not starting"),
        "pod-stuck-terminating": (
            "is",
            f"stuck terminating: {facts['said']}" if facts.get("said") else "stuck terminating",
        ),
        "pod-liveness-killed": ("was", f"restarted by {who.its} {probe}"),
        "pod-restarted": ("was", "restarted"),
        "pod-container-lost": ("has", "lost a container"),
    }
    if rule in short:
        be, state = short[rule]
        return f"{who.be(be)} {state}{_because(lead, who)}{_last_line(lead, findings)}"
    if rule == "pod-rejected-by-kubelet" and count == 1:
        return sentence(Subject(lead.object.name), lead.claim)
    if lead.object.kind == "Node" and count > 1:
        return sentence(Subject(f"{count} nodes", several=True), _common(lead, same))
    if rule in ("dns-degraded", "ingress-degraded") and not facts.get("oom_killed"):
        pods = set(lead.related)  # what depends on them says that they do not answer
        own = [f for f in findings if f.object in pods and f.facts.get("class")]
        return sentence(Subject(_name(lead)), lead.claim) + _said(own)
    if rule == "mesh-degraded":
        namespace, name = lead.object.namespace, lead.object.name
        own = [
            f for f in findings if (f.object.namespace, f.facts.get("owner")) == (namespace, name)
        ]
        return sentence(Subject(name), lead.claim.split("; ")[0]) + _said(own)
    if _CLOCK.search(lead.claim):  # the first of them, as the age beside the title
        dated = [(f.since, f.id, f) for f in same if f.since is not None]
        lead = min(dated)[2] if dated else lead
    others = len({f.object for f in same} - {lead.object})
    more = f" (and {others} more)" if others else ""
    return sentence(Subject(_name(lead)), lead.claim.split("; ")[0]) + more


def _waiting(findings: Sequence[Finding]) -> str:
    """`web does`, `pods of cart and web do`, `pods of cart, shop, web and 2 more do`."""
    owners = sorted({str(f.facts.get("owner") or f.object.name) for f in findings})
    if len({f.object for f in findings}) == 1:
        return f"{owners[0]} does"
    named = owners if len(owners) <= 4 else [*owners[:3], f"{len(owners) - 3} more"]
    *first, last = named
    return f"pods of {', '.join(first)} and {last} do" if first else f"pods of {last} do"


def _most_said(findings: Sequence[Finding]) -> str:
    """The reason of the cause that most of them have, in the words of the first of these."""
    causes = Counter((f.facts.get("cause"), f.facts.get("why")) for f in findings)
    (most, _), *_ = causes.most_common(1)
    first = next(f for f in findings if (f.facts.get("cause"), f.facts.get("why")) == most)
    return first.claim.partition(": ")[2]


def _said(findings: Sequence[Finding]) -> str:
    """` (exits 1: …)`: the words of the first that says something."""
    words = [f for f in findings if f.rule == "pod-last-words"]
    first = next((f for f in words if f.facts.get("class")), words[0] if words else None)
    return f" ({first.claim})" if first is not None else ""


def _common(lead: Finding, same: Sequence[Finding]) -> str:
    """The claim of the leading finding, without who did it where others did it to the rest."""
    shorter = {each.claim.partition(" by ")[0] for each in same}
    differ = len({each.claim for each in same}) > 1
    return shorter.pop() if differ and len(shorter) == 1 else lead.claim


class Subject(NamedTuple):
    """Who a title is about, and whether that is more than one."""

    name: str
    several: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def its(self) -> str:
        return "their" if self.several else "its"

    def be(self, verb: str) -> str:
        """The subject with `is`, `was` or `has` in its number."""
        plural = {"is": "are", "was": "were", "has": "have", "has been": "have been"}
        return f"{self.name} {plural[verb] if self.several else verb}"


_VERB = re.compile(
    r"(?:blocks|cannot|claims|did|does|ended|evicts|failed|gave|got|has|holds|is|keeps|leads|names"
    r"|rebooted|refuses|runs|stays|waits|wants|was|uses)[ :]"
)
"""Claims that are the rest of a sentence about their object."""
_STATE = {
    **dict.fromkeys(("not", "cordoned", "half", "held", "open", "running,", "still"), "is"),
    **dict.fromkeys(("evicted", "refused", "removed", "restarted", "rolled"), "was"),
    "silent": "has been",
    "no": "has",
}
"""First words of claims that are a state, and the verb that they lack."""
_DRIFT = re.compile(r"runs another image on (.+?) than on (.+)", re.DOTALL)
_SHARE = re.compile(r"\d+ of \d+ replicas ready")


def sentence(subject: Subject, claim: str) -> str:
    """A claim as a person says it: `web is not ready`, `the Lease of node-b2 …`. A claim with a
    subject of its own stands behind a colon."""
    if claim.startswith("pods cannot be created"):
        return f"pods of {subject} {claim.removeprefix('pods ')}"
    if claim.startswith(("the cluster's DNS", "the ingress controller", "the control plane of")):
        return f"{subject}, {claim}"
    first, _, rest = claim.partition(" ")
    if subject.several and first in ("was", "is", "has"):
        return f"{subject.be(first)} {rest.replace(', and is ', ', and are ')}"
    if subject.several and first == "rebooted":
        return f"{subject} {claim}"
    if claim.startswith("ended by "):
        return f"{subject.be('was')} {claim}"
    if not subject.several and (found := _DRIFT.fullmatch(claim)):
        return f"{subject} on {found[1]} runs another image than {found[2]}"
    if not subject.several and _VERB.match(claim):
        return f"{subject} {claim}"
    if first in _STATE:
        return f"{subject.be(_STATE[first])} {claim}"
    if _SHARE.match(claim):
        return f"{subject.be('has')} {claim}"
    if first == "its" and not subject.several:
        return f"{subject}'s {rest}"
    return f"{subject}: {claim}"


_CALLED = {
    "PersistentVolumeClaim": "claim",
    "PersistentVolume": "volume",
    "Namespace": "namespace",
    "HorizontalPodAutoscaler": "autoscaler",
    "PodDisruptionBudget": "disruption budget",
    "ResourceQuota": "quota",
    "APIService": "API",
    "Certificate": "certificate",
    "ClusterIssuer": "cluster issuer",
    "Issuer": "issuer",
    **{kind: kind for kind in ("Service", "Ingress", "Job", "CronJob", "Gateway")},
    **{kind: kind for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")},
}
"""What a person calls an object of that kind; pods, nodes and workloads have their name alone."""


def _name(finding: Finding) -> str:
    kind = _CALLED.get(finding.object.kind, "")
    return f"{kind} {finding.object.name}".strip()


def _last_words(findings: Sequence[Finding]) -> str:
    """`orders exits 1: access denied …`, and how many other workloads fail in the same way."""
    lead = next((f for f in findings if f.facts.get("class") not in _OF_A_PEER), findings[0])
    owner = str(lead.facts.get("owner") or lead.object.name)
    class_ = lead.facts.get("class")
    alike = (f for f in findings if f.facts.get("class") == class_)
    others = {str(f.facts.get("owner") or f.object.name) for f in alike} - {owner}
    if not lead.facts.get("class"):
        return f"{first_two([owner, *sorted(others)])}, {lead.claim}"
    if not others:
        return f"{owner} {lead.claim}"
    claim = lead.claim
    for one, several in _OF_SEVERAL.items():
        if claim.startswith(one):
            claim = several + claim.removeprefix(one)
    return f"{first_two([owner, *sorted(others)])} {claim}"


_OF_A_PEER = ("", "unreachable", "name-not-found")
"""Classes of words that complain about something else, or about nothing."""
_OF_SEVERAL = {
    "exits ": "exit ",
    "waits in ": "wait in ",
    "is not ready": "are not ready",
    "is killed by its probe": "are killed by their probes",
}
"""Beginnings of claims about last words, of one workload and of several."""


def _because(finding: Finding, who: Subject) -> str:
    """`: its readiness probe is refused on port 8080`: the reason that a claim gives."""
    why = finding.claim.partition(": ")[2] if finding.facts.get("probe_kind") else ""
    why = re.sub("^its ", f"{who.its} ", why)
    return f": {why}" if why else ""


def _last_line(lead: Finding, findings: Sequence[Finding]) -> str:
    """`; the log's last line: …` of a crash whose words are of no known class."""
    if lead.rule != "pod-crash-looping":
        return ""
    words = (f for f in findings if f.rule == "pod-last-words" and f.object == lead.object)
    return next((f"; {f.claim}" for f in words if f.facts.get("class") == ""), "")


def _on(findings: Sequence[Finding]) -> str:
    """The node, when all are on one."""
    nodes = {str(f.facts.get("node") or "") for f in findings}
    return f" on {min(nodes)}" if len(nodes) == 1 and nodes != {""} else ""


def _who(findings: Sequence[Finding]) -> Subject:
    """`web`, `3 pods of web`, `4 pods of cart and web` or `7 pods of cart, feed and 3 more`."""
    owners = Counter(str(f.facts.get("owner") or f.object.name) for f in findings)
    pods = len({f.object for f in findings})
    if len(owners) > 1:
        return Subject(f"{pods} pods of {first_two(sorted(owners))}", several=True)
    name = min(owners)
    return Subject(f"{pods} pods of {name}", several=True) if pods > 1 else Subject(name)
