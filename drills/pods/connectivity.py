"""Whether a connection from a pod to an address works on the embedded cluster, and how it fails.

In this order: the scenario's `exec.connect` rules, then NetworkPolicies (the destination's node
rejects a denied connection with ICMP 3/3, as kube-router does), then whether a process listens.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from drills.api.objects import (
    Obj,
    container_ports,
    dig,
    holds,
    internal_ip,
    reports,
    stable_fraction,
    target_port,
    zone_of,
)
from drills.api.selectors import matches_selector
from drills.pods.selection import matches
from drills.pods.surroundings import PodEnvironment, ScenarioRule

Of = Callable[[str], Iterable[Obj]]
"""The objects of a kind."""
_API_SERVER = "10.96.0.1"
_OUTSIDE = "203.0.113.80"
"""Addresses of names outside the cluster."""
_CONTROL_PLANE: Obj = {
    "metadata": {"name": "kube-apiserver", "namespace": "", "labels": {}},
    "spec": {"hostNetwork": True},
}


@dataclass(frozen=True, slots=True)
class ConnectResult:
    """said: open, refused, noroute, netunreach, timeout or noname. icmp is `3/3` with `sender` when
    an ICMP error came; empty for a RST. ms is the time that the connect took."""

    said: str
    ms: int = 1
    icmp: str = ""
    sender: str = ""
    retrans: int = 0


RESULTS = {
    "ok": ConnectResult("open"),
    "refused": ConnectResult("refused", 1),
    "rejected": ConnectResult("refused", 1010, "3/3", retrans=1),
    "noroute": ConnectResult("noroute", 1010, "3/1", retrans=1),
    "prohibited": ConnectResult("noroute", 1010, "3/10", retrans=1),
    "netunreach": ConnectResult("netunreach", 1010, "3/0", retrans=1),
    "timeout": ConnectResult("timeout", 4000, retrans=2),
    "noname": ConnectResult("noname", 5),
    "slow": ConnectResult("open", 1020, retrans=1),
}
"""`result` of an `exec.connect` rule."""


class Network:
    """Reads the current objects through `of`. The scenario's rules are in `around`; the first match
    wins."""

    def __init__(self, of: Of, around: PodEnvironment) -> None:
        self._of, self.around = of, around

    # --- connections

    def connect(self, source: Obj, host: str, port: int, attempt: int = 0) -> ConnectResult:
        """One TCP connect from the source pod."""
        if not _is_address(host):
            resolved = self.resolve(source, host, attempt)
            if isinstance(resolved, ConnectResult):
                return resolved
            waited = self._name_delay(source, host, attempt)
            found = self.connect(source, resolved, port, attempt)
            return replace(found, ms=found.ms + waited)
        for service in self._of("Service"):
            if service["spec"].get("clusterIP") == host:
                return self._to_service(source, service, host, port, attempt)
        target = self._pod_at(host)
        if ruled := self._ruled(source, target, host, port, attempt):
            return ruled
        return self._to_pod(source, target, port) if target else self._to_other(host, port)

    def from_control_plane(self, target: Obj, port: int) -> ConnectResult:
        """One TCP connect from the API server, which is in no namespace: policies, and rules with a
        source, do not apply."""
        rules = self.around.connect
        general = [r for r in rules if not r.get("from") and not r.get("acrossNamespaces")]
        outside = Network(self._of, PodEnvironment(connect=general))
        ruled = outside._ruled(_CONTROL_PLANE, target, str(target["status"]["podIP"]), port, 0)
        if ruled is not None or not reports(self._node_of(target)):
            return ruled or RESULTS["timeout"]
        return RESULTS["ok" if listens(target, port) else "refused"]

    def backends(self, service: Obj) -> list[Obj]:
        """The ready pods behind a Service."""
        selector = {"matchLabels": service["spec"].get("selector") or {"-": "-"}}
        return [
            pod
            for pod in self._of("Pod")
            if pod["metadata"]["namespace"] == service["metadata"]["namespace"]
            and matches_selector(selector, pod["metadata"].get("labels", {}))
            and holds(pod, "Ready")
            and dig(pod, "status", "podIP")
        ]

    def _to_service(
        self, source: Obj, service: Obj, host: str, port: int, attempt: int
    ) -> ConnectResult:
        if ruled := self._ruled(source, None, host, port, attempt, service):
            return ruled
        if host == _API_SERVER:
            return RESULTS["ok"]
        wanted = next((p for p in service["spec"].get("ports") or [] if p["port"] == port), None)
        backends = self.backends(service)
        if wanted is None or not backends:
            return self._rejected_by(source)
        draw = stable_fraction("lb", source["metadata"]["name"], host, attempt)
        choice = backends[int(draw * len(backends))]
        number, address = target_port(choice, wanted), str(choice["status"]["podIP"])
        ruled = self._ruled(source, choice, address, number, attempt)
        return ruled or self._to_pod(source, choice, number)

    def _to_pod(self, source: Obj, target: Obj, port: int) -> ConnectResult:
        if not reports(self._node_of(target)):
            return RESULTS["timeout"]
        if not self._allowed(source, target, port):
            return self._rejected_by(target)
        return RESULTS["ok" if listens(target, port) else "refused"]

    def _to_other(self, host: str, port: int) -> ConnectResult:
        if any(internal_ip(node) == host for node in self._of("Node")):
            return RESULTS["ok" if port in {10250, 10256, 6443} else "refused"]
        return RESULTS["noroute"] if _inside(host) else ConnectResult("open", 12)

    def _rejected_by(self, pod: Obj) -> ConnectResult:
        """Rejected with an ICMP error from the node of a pod."""
        return replace(RESULTS["rejected"], sender=internal_ip(self._node_of(pod)))

    def _pod_at(self, address: str) -> Obj | None:
        found = (
            pod
            for pod in self._of("Pod")
            if dig(pod, "status", "podIP") == address
            and not pod["spec"].get("hostNetwork")
            and dig(pod, "status", "phase") == "Running"
        )
        return next(found, None)

    def _node(self, name: str) -> Obj | None:
        return next((n for n in self._of("Node") if n["metadata"]["name"] == name), None)

    def _node_of(self, pod: Obj) -> Obj | None:
        return self._node(dig(pod, "spec", "nodeName", default=""))

    def zone(self, node: str) -> str:
        return zone_of(self._node(node))

    def _ruled(
        self,
        source: Obj,
        target: Obj | None,
        host: str,
        port: int,
        attempt: int,
        service: Obj | None = None,
    ) -> ConnectResult | None:
        """The outcome of the first matching rule. share: of the attempts. sender of an ICMP error:
        `node` (of the target), `source` (its node) or an address."""
        name = source["metadata"]["name"]
        for rule in self.around.connect:
            if not matches(source, rule.get("from"), self.zone):
                continue
            if not self._rule_fits(rule, source, target, host, port, service):
                continue
            share = float(rule.get("share", 1.0))
            if share < 1.0 and stable_fraction("share", name, host, port, attempt) >= share:
                continue
            base = RESULTS[str(rule["result"])]
            sender = str(rule.get("sender", "node" if base.icmp else ""))
            if sender in {"node", "source"}:
                pod = source if sender == "source" else target
                sender = internal_ip(self._node_of(pod)) if pod else ""
            return ConnectResult(
                base.said,
                int(rule.get("ms", base.ms)),
                str(rule.get("icmp", base.icmp)),
                sender,
                int(rule.get("retrans", base.retrans)),
            )
        return None

    def _rule_fits(
        self,
        rule: ScenarioRule,
        source: Obj,
        target: Obj | None,
        host: str,
        port: int,
        service: Obj | None,
    ) -> bool:
        to = rule.get("to", {})
        if "port" in to and int(to["port"]) != port:
            return False
        here = source["metadata"]["namespace"]
        same = target is not None and target["metadata"]["namespace"] == here
        if rule.get("acrossNamespaces") and same:
            return False
        if "outside" in to:
            inside = target is not None or service is not None or _inside(host)
            return bool(to["outside"]) and not inside
        if "address" in to:
            return _host_fits(host, to["address"])
        if "service" in to:
            return service is not None and service["metadata"]["name"] == to["service"]
        return target is not None and matches(target, to, self.zone)

    # --- names

    def look_up(
        self, source: Obj, server: str, name: str, attempt: int, limit: int
    ) -> tuple[str, int]:
        """(answer of one server, milliseconds); server "-" is the pod's configured one."""
        if server != "-":
            reached = self.connect(source, server, 53, attempt)
            if reached.said != "open":
                return "timeout" if reached.said == "timeout" else "closed", limit * 1000
        found = self.resolve(source, name, attempt, server)
        if isinstance(found, ConnectResult):
            return found.said, found.ms
        return "found", 1 + self._name_delay(source, name, attempt, server)

    def resolve(
        self, source: Obj, name: str, attempt: int = 0, server: str = "-"
    ) -> str | ConnectResult:
        """The address of a name as the pod's resolver gives it, or how the look-up fails."""
        for rule in self._name_rules(source, name, attempt, server):
            if (result := rule.get("result")) in {"timeout", "noname"}:
                return ConnectResult(result, int(rule.get("ms", RESULTS[result].ms)))
            if "address" in rule:
                return str(rule["address"])
        plain = name.rstrip(".").removesuffix(".cluster.local").removesuffix(".svc")
        labels = plain.split(".")
        namespace = labels[1] if len(labels) > 1 else source["metadata"]["namespace"]
        for service in self._of("Service") if len(labels) <= 2 else ():
            meta = service["metadata"]
            if (meta["name"], meta["namespace"]) == (labels[0], namespace):
                address = str(service["spec"].get("clusterIP", ""))
                if address != "None":
                    return address
                pods = self.backends(service)
                return str(pods[0]["status"]["podIP"]) if pods else RESULTS["noname"]
        outside = len(labels) >= 2 and labels[-1] in {"com", "org", "net", "io"}
        return _OUTSIDE if outside else RESULTS["noname"]

    def _name_rules(
        self, source: Obj, name: str, attempt: int, server: str = "-"
    ) -> Iterable[ScenarioRule]:
        """Each server draws by itself, so that 20 tries at each of five are a hundred."""
        at = () if server == "-" else (server,)
        draw = stable_fraction("name", source["metadata"]["name"], name, attempt, *at)
        for rule in self.around.names:
            share = float(rule.get("share", 1.0))
            if (
                matches(source, rule.get("from"), self.zone)
                and _host_fits(name, rule.get("name", "*"))
                and (share >= 1.0 or draw < share)
            ):
                if rule.get("result") == "found":
                    return  # names resolve again: older rules end
                yield rule

    def _name_delay(self, source: Obj, name: str, attempt: int, server: str = "-") -> int:
        """Extra milliseconds of a slow look-up."""
        rules = self._name_rules(source, name, attempt, server)
        return next((int(r.get("ms", 5005)) for r in rules if r.get("result") == "slow"), 0)

    # --- NetworkPolicies

    def _allowed(self, source: Obj, target: Obj, port: int) -> bool:
        """networking.k8s.io/v1 NetworkPolicy, ingress of the target and egress of the source."""
        on_one_node = source["spec"].get("nodeName") == target["spec"].get("nodeName")
        from_node = bool(source["spec"].get("hostNetwork")) and on_one_node
        ingress = from_node or self._side_allows("Ingress", target, source, target, port)
        return ingress and self._side_allows("Egress", source, target, target, port)

    def _side_allows(self, side: str, subject: Obj, peer: Obj, target: Obj, port: int) -> bool:
        """Whether the policies that select `subject` allow its `peer`; `target` has the port."""
        if subject["spec"].get("hostNetwork"):
            return True
        meta = subject["metadata"]
        selecting = [
            policy
            for policy in self._of("NetworkPolicy")
            if policy["metadata"]["namespace"] == meta["namespace"]
            and side in _types(policy["spec"])
            and matches_selector(policy["spec"].get("podSelector") or {}, meta.get("labels", {}))
        ]
        rules, peers = ("ingress", "from") if side == "Ingress" else ("egress", "to")
        return not selecting or any(
            self._ports_fit(rule, target, port)
            and (
                not rule.get(peers)
                or any(self._peer_fits(want, policy, peer) for want in rule[peers])
            )
            for policy in selecting
            for rule in policy["spec"].get(rules) or []
        )

    @staticmethod
    def _ports_fit(rule: Obj, target: Obj, port: int) -> bool:
        wanted = rule.get("ports") or []
        return not wanted or any(_port_fits(p, port, target) for p in wanted)

    def _peer_fits(self, want: Obj, policy: Obj, peer: Obj) -> bool:
        if "ipBlock" in want:
            address = dig(peer, "status", "podIP", default="0.0.0.0")  # noqa: S104  # fits nothing
            block = want["ipBlock"]
            return _host_fits(address, block["cidr"]) and not any(
                _host_fits(address, other) for other in block.get("except") or []
            )
        meta = peer["metadata"]
        if "namespaceSelector" in want:
            spaces = self._of("Namespace")
            space = next((n for n in spaces if n["metadata"]["name"] == meta["namespace"]), None)
            labels = dig(space, "metadata", "labels", default={})
            if space is None or not matches_selector(want["namespaceSelector"] or {}, labels):
                return False
        elif meta["namespace"] != policy["metadata"]["namespace"]:
            return False
        selector = want.get("podSelector") or {}
        return "podSelector" not in want or matches_selector(selector, meta.get("labels", {}))


def _types(spec: Obj) -> list[str]:
    """The policyTypes of a NetworkPolicy, with their default."""
    implied = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return spec.get("policyTypes") or implied


def listens(pod: Obj, port: int) -> bool:
    """Whether a running container of the pod declares the port: on the embedded cluster a declared
    port listens."""
    declared = any(int(p["containerPort"]) == port for p in container_ports(pod))
    statuses = dig(pod, "status", "containerStatuses", default=[])
    return declared and any("running" in s.get("state", {}) for s in statuses)


def _port_fits(want: Obj, port: int, target: Obj) -> bool:
    number = want.get("port")
    if isinstance(number, str):
        named = [p for p in container_ports(target) if p.get("name") == number]
        return any(int(p["containerPort"]) == port for p in named)
    return number is None or int(number) <= port <= int(want.get("endPort") or number)


def _host_fits(host: str, pattern: str) -> bool:
    """A host against `*`, `*.suffix`, a CIDR or itself."""
    if "/" in pattern:
        return _is_address(host) and ipaddress.ip_address(host) in ipaddress.ip_network(pattern)
    return host.endswith(pattern[1:]) if pattern.startswith("*") else host == pattern


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _inside(host: str) -> bool:
    return host.startswith(("10.244.", "10.96.", "10.99.", "127."))
