"""DNS look-ups from a pod: an inside and an outside name, through the Service and at each DNS pod.

Five seconds is a resolver's first time-out: an answer after five seconds means a lost packet, not a
slow server. One failing DNS pod, a failing Service address with working pods, and failing outside
names with working inside names are three different faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from cluster.kube.objects import Service
from probes.context import ProbeContext, Progress
from probes.definition import Probe
from probes.inference.statistics import bound
from probes.pods.preparation import DEADLINE_S, check_method, prepare
from probes.pods.probe_pod import Identity
from probes.pods.vantage import CLIENT, Vantage
from probes.pods.vantage_pods import ReadyVantage, VantagePods
from probes.result import (
    Cell,
    Component,
    Conclusion,
    Destination,
    Expectation,
    ProbePlan,
    ProbeResult,
    ResultClass,
    Try,
    not_measured,
)
from probes.scripts import dns as dns_script
from probes.scripts.protocol import read_lines
from probes.select.names import Unusable
from probes.select.service_ports import endpoints
from probes.select.sources import find_sources
from probes.select.targets import Targets

NAME = "dns"
QUESTION = "Do names resolve from this namespace, how fast, and at each DNS server by itself?"
PARAMETERS = {
    "namespace": "(required) NAMESPACE or NAMESPACE/POD to ask from",
    "name": "a name outside of the cluster to ask for as well",
    "image": "image for the probe pods",
    "tries": "tries for each server and name (5)",
    "how": "pod, exec or ephemeral",
}
SLOW_MS = 1000
INSIDE = "kubernetes.default.svc.cluster.local"
CONFIGURED = "-"
_SAID = {
    "found": ResultClass.OK,
    "noname": ResultClass.DNS_NXDOMAIN,
    "timeout": ResultClass.DNS_TIMEOUT,
    "refused": ResultClass.DNS_REFUSED,
    "servfail": ResultClass.DNS_SERVFAIL,
    "closed": ResultClass.REFUSED,
    "missing": ResultClass.TOOL_MISSING,
}


@dataclass(frozen=True, slots=True)
class DnsPlan:
    vantages: tuple[Vantage, ...]
    servers: tuple[Destination, ...]
    names: tuple[str, ...]
    identity: Identity
    tries: int


class DnsLine(msgspec.Struct, frozen=True):
    """One line of the script; the fields are those of `assets/probe-protocol.json`."""

    event: str
    server: str = ""
    name: str = ""
    at: int = 0
    ms: int = 0
    said: str = ""
    tool: str = ""
    options: str = ""
    nameservers: str = ""
    count: int = 0


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    given = {key: value for key, value in arguments.items() if value}
    tries = given.get("tries", "5")
    if not tries.isdecimal() or not 1 <= int(tries) <= 100:
        raise Unusable(f"tries {tries!r} is not a number from 1 to 100.")
    check_method(context, given.get("how", ""))
    outside = given.get("name", "")
    try:
        dns_script.command([], [outside] if outside else [])
    except ValueError as error:
        raise Unusable(str(error)) from error
    servers = find_servers(context)
    pods = tuple(server for server in servers if server.pod)
    sources = find_sources(context.store, given.get("namespace", ""), Targets(pods), control="none")
    prepared = await prepare(
        context, sources, image=given.get("image", ""), how=given.get("how", "")
    )
    names = (INSIDE + ".", *((outside.rstrip(".") + ".",) if outside else ()))
    detail = DnsPlan(prepared.vantages, servers, names, prepared.identity, int(tries))
    warnings = prepared.warnings
    if not pods:
        warnings.append(
            "no DNS pods are known behind a Service kube-system/kube-dns or coredns: only the "
            "pod's own settings are asked"
        )
    return ProbePlan(
        NAME,
        given,
        QUESTION,
        creates=prepared.creates,
        executes=tuple(
            f"nslookup in {s.source.namespace} on {s.source.node}"
            for s in prepared.usable
            if s.method == CLIENT
        ),
        rights=prepared.rights,
        selected_by=prepared.selected_by,
        method=prepared.method,
        warnings=tuple(dict.fromkeys(warnings)),
        refused=prepared.refused,
        seconds=10.0 + len(servers) * len(names) * int(tries) * 0.2,
        deadline_s=DEADLINE_S,
        detail=detail,
    )


def find_servers(context: ProbeContext) -> tuple[Destination, ...]:
    """The pod's own configuration, the Service's address, and each of its pods."""
    found = [Destination("", "", "", CONFIGURED, 53, "resolv.conf")]
    for namespace, name in (
        ("kube-system", "kube-dns"),
        ("kube-system", "coredns"),
        ("openshift-dns", "dns-default"),
    ):
        service: Service | None = context.store.get("Service", namespace, name)
        if service is None:
            continue
        if service.spec.cluster_ip not in ("", "None"):
            found.append(Destination(namespace, "", "", service.spec.cluster_ip, 53, name))
        for pod, _, _ in endpoints(context.store, service):
            if pod is not None and pod.status.pod_ip:
                found.append(
                    Destination(
                        namespace, pod.spec.node_name, pod.metadata.name, pod.status.pod_ip, 53
                    )
                )
        break
    return tuple(dict.fromkeys(found))[:10]


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress) -> ProbeResult:
    detail = plan.detail
    assert isinstance(detail, DnsPlan)
    pods = VantagePods(context, detail.identity, f"probe {NAME}", progress)
    options: set[str] = set()
    found = await pods.measure(
        detail.vantages, lambda origin: _look_up(origin, pods, detail, options)
    )
    cells = [cell for cells in found for cell in cells]
    return pods.result(plan, cells, conclude(cells, sorted(options)))


async def _look_up(
    origin: ReadyVantage, pods: VantagePods, detail: DnsPlan, options: set[str]
) -> list[Cell]:
    source = origin.vantage.source
    reason, lines = origin.failed, list[DnsLine]()
    if not reason:
        pods.say(
            f"{origin.name}: {detail.tries} look-ups of {len(detail.names)} "
            f"name{'s' if len(detail.names) > 1 else ''} at each of {len(detail.servers)} servers"
        )
        addresses = [server.address for server in detail.servers]
        command = dns_script.command(addresses, detail.names, tries=detail.tries)
        limit = dns_script.longest_run_s(len(addresses), len(detail.names), tries=detail.tries)
        answer = await pods.execute(origin, command, min(limit, DEADLINE_S - 60))
        lines, reason = read(answer.stdout)
        reason = answer.error or reason
        options.update(line.options for line in lines if line.event == "conf" and line.options)
    if reason:
        pods.problems.append(f"{origin.name}: {reason}")
    cells = []
    for server in detail.servers:
        for name in detail.names:
            tries = tuple(
                judge(line)
                for line in lines
                if line.event == "try" and (line.server, line.name) == (server.address, name)
            )
            asked = (
                replace(server, service=f"{server.service or server.pod} for {name}")
                if not server.pod
                else server
            )
            asked = replace(asked, service=name) if server.pod else asked
            where = "" if server.address == CONFIGURED else f" {server.address}"
            command_words = (
                f"kubectl exec -n {source.namespace} {origin.pod} -c {origin.container} -- "
                f"nslookup {name}{where}"
            )
            failed = () if reason and not tries else tries
            cells.append(
                Cell(
                    origin.place,
                    asked,
                    Expectation.ALLOW,
                    "names should resolve",
                    failed,
                    reason=reason,
                    command=command_words,
                )
            )
    return cells


def read(text: str) -> tuple[list[DnsLine], str]:
    """(lines, reason why they prove nothing, "" when complete)."""
    lines, problem = read_lines(text, DnsLine, "look-ups")
    if any(line.event == "begin" and line.tool == "none" for line in lines):
        return [], "the container has no nslookup; use another image"
    return lines, problem


def judge(line: DnsLine) -> Try:
    verdict = _SAID.get(line.said, ResultClass.NOT_MEASURED)
    at = datetime.fromtimestamp(line.at, UTC) if 0 < line.at < 1 << 33 else None
    return Try(verdict, line.ms, at, detail=line.said)


def conclude(cells: Sequence[Cell], options: Sequence[str]) -> list[Conclusion]:
    """Conclusions from the look-ups, most specific first."""
    measured = [cell for cell in cells if cell.counted]
    if not measured:
        return [not_measured("no look-up was measured")]
    bad = [cell for cell in measured if _bad(cell)]
    found: list[Conclusion] = []
    inside = [cell for cell in bad if _name(cell) == INSIDE + "."]
    pods = {cell.target.pod: cell.target for cell in measured if cell.target.pod}
    failing = {c.target.pod for c in inside if c.target.pod}
    asked_from = {c.source for c in measured}
    blind = {c.source for c in unanswered(measured)}
    evidence = tuple(_line(cell) for cell in bad[:6])
    if blind and blind != asked_from:
        where = ", ".join(sorted({f"{p.namespace} on {p.node}" for p in blind}))
        claim = (
            f"No DNS server answers from {where}, while others are answered: the path from there, "
            "not DNS"
        )
        component = Component("node", sorted({p.node for p in blind})[0])
        found.append(
            Conclusion(claim, component, 0.8, "probe connectivity from that node", evidence)
        )
    elif failing and failing != set(pods):
        for pod in sorted(failing):
            target = pods[pod]
            claim = (
                f"DNS pod {pod} on {target.node} "
                f"{_how(c for c in inside if c.target.pod == pod)}, the other DNS pods answer"
            )
            component = Component("dns", f"{target.namespace}/{pod}")
            following = f"compare it with the others, then delete it; look at node {target.node}"
            found.append(Conclusion(claim, component, 0.85, following, evidence))
    elif failing:
        claim = f"All DNS pods: {_how(c for c in inside if c.target.pod)}"
        following = "memory, restarts and load of the DNS pods, then their upstream"
        found.append(Conclusion(claim, Component("dns", "all"), 0.8, following, evidence))
    elif inside and pods:
        claim = f"The DNS pods answer, but not through the Service's address: {_how(inside)}"
        following = "kube-proxy on the source's node, egress policies to port 53"
        found.append(Conclusion(claim, Component("service", "kube-dns"), 0.75, following, evidence))
    elif inside:
        found.append(
            Conclusion(
                f"Inside names: {_how(inside)}",
                Component("dns", "cluster"),
                0.6,
                "find the DNS pods",
                evidence,
            )
        )
    outside = [cell for cell in bad if _name(cell) != INSIDE + "."]
    if outside and not inside:
        claim = f"Inside names resolve, outside ones do not: {_how(outside)}"
        found.append(
            Conclusion(
                claim,
                Component("dns", "upstream"),
                0.85,
                "the upstream servers of CoreDNS, and egress to them",
                evidence,
                answer="outside only",
            )
        )
    five = [
        t
        for c in measured
        for t in c.counted
        if t.verdict is ResultClass.OK and 4800 <= t.ms <= 5600
    ]
    if five:
        count = sum(len(c.counted) for c in measured)
        claim = (
            f"{len(five)} of {count} answers came after five seconds: a first packet was lost, "
            "the servers are not slow"
        )
        found.append(
            Conclusion(
                claim,
                Component("network", "lost packets"),
                0.75,
                "conntrack on the nodes, parallel A and AAAA look-ups",
                answer="five seconds",
            )
        )
    if not found:
        count = sum(len(c.counted) for c in measured)
        failed = sum(c.failed for c in measured)
        amplified = (
            f"; {options[0]} makes outside names cost several look-ups each"
            if options and "ndots:5" in options[0]
            else ""
        )
        claim = f"Names resolve: {bound(failed, count)}{amplified}"
        found.append(
            Conclusion(
                claim,
                Component("none", ""),
                0.7,
                "" if count >= 60 else "a loss of 1 in 50 needs more tries",
            )
        )
    return found


def unanswered(measured: Sequence[Cell]) -> list[Cell]:
    """Cells of sources that no server answered."""
    dead = {c.source for c in measured} - {c.source for c in measured if c.failed < len(c.counted)}
    return [c for c in measured if c.source in dead]


def _bad(cell: Cell) -> bool:
    times = sorted(t.ms for t in cell.counted if t.verdict is ResultClass.OK)
    slow = bool(times) and times[len(times) // 2] >= SLOW_MS
    return cell.failed * 4 > len(cell.counted) or slow


def _name(cell: Cell) -> str:
    return cell.target.service.rpartition(" for ")[2]


def _how(cells: Iterable[Cell]) -> str:
    listed = list(cells)
    failed, count = sum(c.failed for c in listed), sum(len(c.counted) for c in listed)
    times = sorted(t.ms for c in listed for t in c.counted if t.verdict is ResultClass.OK)
    slow = f", median {times[len(times) // 2]} ms" if times else ""
    kinds = sorted(
        {t.verdict.value for c in listed for t in c.counted if t.verdict is not ResultClass.OK}
    )
    return f"{bound(failed, count)}{slow}{' (' + ', '.join(kinds) + ')' if kinds else ''}"


def _line(cell: Cell) -> str:
    server = cell.target.pod or cell.target.service.partition(" for ")[0]
    return (
        f"{cell.source.namespace}@{cell.source.node} asks {server} ({cell.target.address}) for "
        f"{_name(cell)}: {_how([cell])}"
    )


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run, creates=True)
