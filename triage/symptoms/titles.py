"""Short titles for symptoms, made from the finding that says most about the mechanism."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from triage.facts.finding import Finding, Severity
from triage.facts.messages.kubelet import IMAGE_CAUSES
from triage.facts.messages.scheduler import scheduling_text
from triage.facts.messages.wording import first_two
from triage.symptoms.leading import leading
from triage.symptoms.same_words import undecided
from triage.symptoms.subjects import Subject, name_of, sentence, who_of
from triage.symptoms.unnamed_peers import owner_of

_AGE = re.compile(
    r" \(for \d+ (?:s|min|h|d)\)"
    r"|(?:(?: for| after|, the oldest) \d+ (?:s|min|h|d)| \d+ (?:s|min|h|d) ago)(?=[ :;,.]|$)"
)


_YOUNG = re.compile(r" \(young: [^;)]*([^)]*)\)")
"""`for 21 min`, `18 min ago`: true for a minute. A title stays; what shows it says the age beside
it."""


_CLOCK = re.compile(r"\b\d\d:\d\d(?::\d\d)? UTC")


def title(findings: Sequence[Finding]) -> str:
    """One short line: what, where, how many. Does not change with time."""
    text = _AGE.sub("", _YOUNG.sub("", _title(findings)))
    lead = leading(findings)
    allowed = _YOUNG.search(lead.claim)
    return f"{text} (young{allowed[1]})" if lead.young and allowed is not None else text


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
    """Why the network agent or kube-proxy fails, where that explains the leading finding:
    ` (aws-node exits 1: …)`, "" for none. An agent without words of a known class crashes."""
    if leading(findings).rule not in _OF_AN_AGENT:
        return ""
    agents = [f for f in findings if f.facts.get("role") in ("cni", "proxy")]
    said = [f for f in agents if f.rule == "pod-last-words" and f.facts["class"]]
    loops = [f for f in agents if f.rule == "pod-crash-looping"]
    if said:
        return f" ({_last_words(said[:1])})"
    return f" ({who_of(loops).be('is')} in a crash loop)" if loops else ""


_OF_AN_AGENT = frozenset(
    {"node-not-ready", "node-network-unavailable", "node-rebooted", "pod-sandbox-failed"}
)
"""Rules of a node for which the network agent or kube-proxy on that node may be the cause."""


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
    who = who_of(same)
    if rule == "claim-pending":
        held = [f for f in findings if f.facts.get("cause") == "volume-unbound"]
        if held:
            others = f" (and {count - 1} more)" if count > 1 else ""
            what = f"claim {lead.object.name} is {lead.claim}{others}"
            return f"{who_of(held).be('is')} pending: {what}"
    if rule == "pod-unschedulable":
        detail = str(facts.get("detail") or "")
        why = scheduling_text(str(facts.get("cause")), detail)
        details = len({str(f.facts.get("detail")) for f in same})
        if facts.get("cause") in ("claim-missing", "volume-unbound") and details > 1:
            owner = str(facts.get("owner") or lead.object.name)
            owners = {str(f.facts.get("owner") or f.object.name) for f in same}
            who = Subject(first_two(sorted(owners)), True) if len(owners) > 1 else Subject(owner)
            why = f"{why} (and {details - 1} more)"
        asked = {str(f.facts.get("asked") or "") for f in same}
        more = f"; {min(asked)}" if len(asked) == 1 and asked != {""} else ""
        return f"{who.be('is')} pending: {why}{more}"
    if rule == "pod-not-scheduled":
        whom = "them" if who.several else "it"
        return f"{who.be('is')} pending, and no scheduler has reported on {whom}"
    if rule == "pod-sandbox-failed":
        causes = {
            "ip-exhausted": "no pod addresses left",
            "cni-not-ready": "network plugin not ready",
            "timeout": "container runtime does not answer",
            "name-reserved": "container runtime does not answer",
            "runtime-down": "container runtime does not answer",
            "memory-limit": f"killed for memory as {'they start' if count > 1 else 'it starts'}",
        }
        why = causes.get(str(facts.get("cause")), str(facts.get("said") or "sandbox fails"))
        limits = {str(f.facts.get("limit") or "") for f in same}
        if facts.get("limit") and len(limits) == 1:
            why += f" (limit {facts['limit']})"
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
        return _last_words(same) + _unread(findings)
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
        secrets = {str(f.facts.get("pull_secret") or "") for f in same}
        if len(secrets) == 1 and secrets != {""}:
            cause += f", {who.its} pull secret {min(secrets)} cannot be read"
        return f"{who} cannot pull {name}" + (f" ({cause})" if cause else "")
    probe = f"{facts.get('probe_kind') or 'liveness'} probe"
    resource = str(facts.get("resource") or "")
    code = facts.get("exit_code")
    init = f"init container {facts['container']}, " if facts.get("init") else ""
    ended = f" ({who.its} command ends: exit 0)" if code == 0 else ""
    ends = f" ({init}exit {code})" if code else ended
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
        "pod-not-starting": (
            "is",
            f"not starting: image {facts['pulls']} is still being pulled"
            if facts.get("pulls")
            else "not starting",
        ),
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
        return sentence(Subject(name_of(lead)), lead.claim) + _said(own)
    if rule == "mesh-degraded":
        namespace, name = lead.object.namespace, lead.object.name
        own = [
            f for f in findings if (f.object.namespace, f.facts.get("owner")) == (namespace, name)
        ]
        return sentence(Subject(name), lead.claim.split("; ")[0]) + _said(own)
    if _CLOCK.search(lead.claim):  # the first of them, as the age beside the title
        dated = [(f.since, f.id, f) for f in same if f.since is not None]
        lead = min(dated)[2] if dated else lead
    alike = len({f.object for f in same} - {lead.object})
    more = f" (and {alike} more)" if alike else ""
    line = sentence(Subject(name_of(lead)), lead.claim.split("; ")[0]) + more
    return line + (_of_young_pods(findings) if rule in _COUNTS else "")


_COUNTS = frozenset({"workload-unavailable", "workload-degraded"})
"""Rules that count replicas: the pods say why."""


def _of_young_pods(findings: Sequence[Finding]) -> str:
    """`: init container setup has not ended`: the cause that pods give which have not failed for
    long enough to lead themselves. Their known last words say more than their count of restarts."""
    if any(f.rule == "pod-last-words" and f.facts.get("class") for f in findings):
        return _said(findings)
    young = [f for f in findings if f.young and f.object.kind == "Pod" and ": " in f.claim]
    if not young:
        return ""
    why = _YOUNG.sub("", leading(young).claim.partition(": ")[2])
    return f": {why.split('; ')[0]}"


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
    claim = _CONFIGURED.sub("", lead.claim)  # each has its own
    for one, several in _OF_SEVERAL.items():
        if claim.startswith(one):
            claim = several + claim.removeprefix(one)
    return f"{first_two([owner, *sorted(others)])} {claim}"


def _unread(findings: Sequence[Finding]) -> str:
    """` (and 3 more, whose logs say less)`: workloads of the symptom that crash with them, of whose
    logs none was read or none decides."""
    said = {
        owner_of(f)
        for f in findings
        if f.rule == "pod-last-words" and f.facts.get("class") and not undecided(f)
    }
    others = {owner_of(f) for f in findings if f.rule == "pod-crash-looping"} - said
    return f" (and {len(others)} more, whose logs do not say)" if said and others else ""


_OF_A_PEER = ("", "unreachable", "name-not-found")
"""Classes of words that complain about something else, or about nothing."""


_CONFIGURED = re.compile(r" \(configured by [^)]*\)")
_OF_SEVERAL = {
    "exits ": "exit ",
    "waits in ": "wait in ",
    "is not ready": "are not ready",
    "is killed by its probe": "are killed by their probes",
    "fails its probe": "fail their probes",
}
"""Beginnings of claims about last words, of one workload and of several."""


def _because(finding: Finding, who: Subject) -> str:
    """`: its readiness probe is refused on port 8080`, `, which on port 80 speaks HTTP to …`: the
    reason that a claim gives."""
    if not finding.facts.get("probe_kind"):
        return ""
    which = re.search(r", which (on port .*|speaks .*|names .*)", finding.claim)
    if which is not None and ": " not in finding.claim:
        return which[0]
    why = finding.claim.partition(": ")[2]
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
