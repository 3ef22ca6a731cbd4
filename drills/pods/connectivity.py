"""Whether a connection from one pod to an address works on the embedded cluster, and how it fails.

Order: the scenario's `exec.connect` rules, then NetworkPolicies (a denied connection is rejected by
the destination's node with ICMP 3/3, as kube-router does), then whether anything listens.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from drills.api.objects import Obj, condition, dig, stable_fraction
from drills.api.selectors import matches_selector
from drills.api.world import matches

Of = Callable[[str], Iterable[Obj]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """said: open, refused, noroute, netunreach, timeout or noname. icmp is `3/3` with `sender` when
    an ICMP error came; empty for a RST. ms is the time that the connect took."""

    said: str
    ms: int = 1
    icmp: str = ""
    sender: str = ""
    retrans: int = 0
    pod: Obj | None = None


RESULTS = {
    "ok": Outcome("open"),
    "refused": Outcome("refused", 1),
    "rejected": Outcome("refused", 1010, "3/3", retrans=1),
    "noroute": Outcome("noroute", 1010, "3/1", retrans=1),
    "prohibited": Outcome("noroute", 1010, "3/10", retrans=1),
    "netunreach": Outcome("netunreach", 1010, "3/0", retrans=1),
    "timeout": Outcome("timeout", 4000, retrans=2),
    "noname": Outcome("noname", 5),
    "slow": Outcome("open", 1020, retrans=1),
}


class Network:
    """Reads the present objects through `of`; `rules` are the scenario's, first match wins."""

    def __init__(self, of: Of, rules: list[dict[str, Any]], names: list[dict[str, Any]]) -> None:
        self._of, self._rules, self._names = of, rules, names

    def connect(self, source: Obj, host: str, port: int, attempt: int = 0) -> Outcome:
        """One TCP connect from the source pod."""
        if not _is_address(host):
            resolved = self.resolve(source, host, attempt)
            if isinstance(resolved, Outcome):
                return resolved
            waited = self._name_delay(source, host, attempt)
            found = self.connect(source, resolved, port, attempt)
            return replace(found, ms=found.ms + waited) if waited else found
        service = next((s for s in self._of("Service") if s["spec"].get("clusterIP") == host), None)
        if service is not None:
            return self._to_service(source, service, host, port, attempt)
        target = next(
            (
                p
                for p in self._of("Pod")
                if dig(p, "status", "podIP") == host
                and not p["spec"].get("hostNetwork")
                and _alive(p)
            ),
            None,
        )
        ruled = self._ruled(source, target, host, port, attempt)
        if ruled is not None:
            return ruled
        if target is None:
            return self._to_other(host, port)
        return self._to_pod(source, target, port)

    def _name_delay(self, source: Obj, name: str, attempt: int) -> int:
        for rule in self._names:
            if rule.get("result") == "slow" and self._names_fit(rule, source, name, attempt):
                return int(rule.get("ms", 5005))
        return 0

    def _names_fit(self, rule: dict[str, Any], source: Obj, name: str, attempt: int) -> bool:
        if not _selected(rule.get("from"), source, self.zone) or not _glob_host(
            name, rule.get("name", "*")
        ):
            return False
        share = float(rule.get("share", 1.0))
        return (
            share >= 1.0
            or stable_fraction("name", source["metadata"]["name"], name, attempt) < share
        )

    def look_up(
        self, source: Obj, server: str, name: str, attempt: int, limit: int
    ) -> tuple[str, int]:
        """(what a look-up at one server says, milliseconds); server "-" is the one that the pod is
        configured for."""
        if server != "-":
            reached = self.connect(source, server, 53, attempt)
            if reached.said != "open":
                return "timeout" if reached.said == "timeout" else "closed", limit * 1000
        found = self.resolve(source, name, attempt)
        if isinstance(found, Outcome):
            return found.said, found.ms
        return "found", 1 + self._name_delay(source, name, attempt)

    def resolve(self, source: Obj, name: str, attempt: int = 0) -> str | Outcome:
        """The address of a name as the pod's resolver gives it, or how the look-up fails."""
        for rule in self._names:
            if not self._names_fit(rule, source, name, attempt):
                continue
            if rule.get("result") == "timeout":
                return Outcome("timeout", int(rule.get("ms", 4000)))
            if rule.get("result") == "noname":
                return Outcome("noname", int(rule.get("ms", 5)))
            if "address" in rule:
                return str(rule["address"])
        labels = name.rstrip(".").split(".")
        if labels[-3:] == ["svc", "cluster", "local"]:
            labels = labels[:-3]
        elif labels[-1:] == ["svc"]:
            labels = labels[:-1]
        namespace = labels[1] if len(labels) > 1 else source["metadata"]["namespace"]
        for service in self._of("Service"):
            meta = service["metadata"]
            if len(labels) <= 2 and meta["name"] == labels[0] and meta["namespace"] == namespace:
                address = str(service["spec"].get("clusterIP", ""))
                if address != "None":
                    return address
                pods = self.backends(service)
                return str(pods[0]["status"]["podIP"]) if pods else Outcome("noname", 5)
        return (
            "203.0.113.80"
            if len(labels) >= 2 and labels[-1] in {"com", "org", "net", "io"}
            else Outcome("noname", 5)
        )

    def zone(self, node: str) -> str:
        found = next((n for n in self._of("Node") if n["metadata"]["name"] == node), None)
        return str(dig(found, "metadata", "labels", "topology.kubernetes.io/zone", default=""))

    def backends(self, service: Obj) -> list[Obj]:
        """The ready pods behind a Service."""
        selector = {"matchLabels": service["spec"].get("selector") or {"-": "-"}}
        return [
            p
            for p in self._of("Pod")
            if p["metadata"]["namespace"] == service["metadata"]["namespace"]
            and matches_selector(selector, p["metadata"].get("labels", {}))
            and _ready(p)
        ]

    def _to_service(self, source: Obj, service: Obj, host: str, port: int, attempt: int) -> Outcome:
        ruled = self._ruled(source, None, host, port, attempt, service)
        if ruled is not None:
            return ruled
        if host == "10.96.0.1":
            return RESULTS["ok"]
        wanted = next((p for p in service["spec"].get("ports") or [] if p["port"] == port), None)
        backends = self.backends(service)
        if wanted is None or not backends:
            return Outcome(
                "refused", 1010, "3/3", self._node_ip(source["spec"].get("nodeName", "")), 1
            )
        choice = backends[
            int(stable_fraction("lb", source["metadata"]["name"], host, attempt) * len(backends))
        ]
        target = self.target_port(choice, wanted)
        ruled = self._ruled(source, choice, str(choice["status"]["podIP"]), target, attempt)
        return ruled or self._to_pod(source, choice, target)

    @staticmethod
    def target_port(pod: Obj, port: Obj) -> int:
        """The number behind a Service's port on one pod."""
        target = port.get("targetPort") or port["port"]
        if isinstance(target, str):
            declared = [p for c in pod["spec"]["containers"] for p in c.get("ports") or []]
            return next(
                (int(p["containerPort"]) for p in declared if p.get("name") == target),
                int(port["port"]),
            )
        return int(target)

    def from_control_plane(self, target: Obj, port: int) -> Outcome:
        """One TCP connect from where the API server stands: in no namespace, so that policies and
        rules with a source are not about it."""
        everybody = [
            rule
            for rule in self._rules
            if not rule.get("from") and not rule.get("acrossNamespaces")
        ]
        outside = Network(self._of, everybody, [])
        ruled = outside._ruled(_CONTROL_PLANE, target, str(target["status"]["podIP"]), port, 0)
        if ruled is not None:
            return ruled
        return (
            RESULTS["timeout"]
            if self._is_lost(target)
            else RESULTS["ok" if listens(target, port) else "refused"]
        )

    def _ruled(
        self,
        source: Obj,
        target: Obj | None,
        host: str,
        port: int,
        attempt: int,
        service: Obj | None = None,
    ) -> Outcome | None:
        for rule in self._rules:
            to = rule.get("to", {})
            if not _selected(rule.get("from"), source, self.zone):
                continue
            if "port" in to and int(to["port"]) != port:
                continue
            if "outside" in to:
                if not to["outside"] or target is not None or service is not None or _inside(host):
                    continue
            elif "address" in to:
                if not _glob_host(host, to["address"]):
                    continue
            elif "service" in to:
                if service is None or service["metadata"]["name"] != to["service"]:
                    continue
            elif target is None or not _selected(
                {k: v for k, v in to.items() if k != "port"}, target, self.zone
            ):
                continue
            if (
                rule.get("acrossNamespaces")
                and target is not None
                and (target["metadata"]["namespace"] == source["metadata"]["namespace"])
            ):
                continue
            share = float(rule.get("share", 1.0))
            if (
                share < 1.0
                and stable_fraction("share", source["metadata"]["name"], host, port, attempt)
                >= share
            ):
                continue
            base = RESULTS[str(rule["result"])]
            sender = str(rule.get("sender", "node" if base.icmp else ""))
            if sender == "node":
                sender = (
                    self._node_ip(dig(target, "spec", "nodeName", default="")) if target else ""
                )
            elif sender == "source":
                sender = self._node_ip(source["spec"].get("nodeName", ""))
            return Outcome(
                base.said,
                int(rule.get("ms", base.ms)),
                str(rule.get("icmp", base.icmp)),
                sender,
                int(rule.get("retrans", base.retrans)),
                target,
            )
        return None

    def _node_ip(self, node: str) -> str:
        found = next((n for n in self._of("Node") if n["metadata"]["name"] == node), None)
        return next(
            (
                str(a["address"])
                for a in dig(found, "status", "addresses", default=[])
                if a["type"] == "InternalIP"
            ),
            "",
        )

    def _to_other(self, host: str, port: int) -> Outcome:
        if any(self._node_ip(n["metadata"]["name"]) == host for n in self._of("Node")):
            return RESULTS["ok"] if port in {10250, 10256, 6443} else RESULTS["refused"]
        if _inside(host):
            return RESULTS["noroute"]
        return Outcome("open", 12)

    def _to_pod(self, source: Obj, target: Obj, port: int) -> Outcome:
        if self._is_lost(target):
            return RESULTS["timeout"]
        if not self.allowed(source, target, port):
            return Outcome(
                "refused",
                1010,
                "3/3",
                self._node_ip(dig(target, "spec", "nodeName", default="")),
                1,
                target,
            )
        return Outcome("open" if listens(target, port) else "refused", 1, pod=target)

    def _is_lost(self, pod: Obj) -> bool:
        """Whether the pod's node has stopped reporting."""
        node = next(
            (n for n in self._of("Node") if n["metadata"]["name"] == dig(pod, "spec", "nodeName")),
            None,
        )
        ready = condition(node, "Ready") if node else None
        return ready is not None and ready["status"] == "Unknown"

    def allowed(self, source: Obj, target: Obj, port: int) -> bool:
        """networking.k8s.io/v1 NetworkPolicy, ingress of the target and egress of the source."""
        return self._side(target, source, port, "Ingress") and self._side(
            source, target, port, "Egress", named_on=target
        )

    def _side(
        self, subject: Obj, peer: Obj, port: int, kind: str, named_on: Obj | None = None
    ) -> bool:
        if subject["spec"].get("hostNetwork"):
            return True
        if (
            kind == "Ingress"
            and peer["spec"].get("hostNetwork")
            and peer["spec"].get("nodeName") == subject["spec"].get("nodeName")
        ):
            return True
        rules_word, peers_word = ("ingress", "from") if kind == "Ingress" else ("egress", "to")
        selecting = []
        for policy in self._of("NetworkPolicy"):
            spec = policy["spec"]
            types = spec.get("policyTypes") or [
                "Ingress",
                *(["Egress"] if spec.get("egress") else []),
            ]
            if (
                kind in types
                and policy["metadata"]["namespace"] == subject["metadata"]["namespace"]
                and matches_selector(
                    spec.get("podSelector") or {}, subject["metadata"].get("labels", {})
                )
            ):
                selecting.append(policy)
        if not selecting:
            return True
        return any(
            self._rule_allows(rule, peers_word, policy, peer, port, named_on or subject)
            for policy in selecting
            for rule in policy["spec"].get(rules_word) or []
        )

    def _rule_allows(
        self, rule: Obj, word: str, policy: Obj, peer: Obj, port: int, owner: Obj
    ) -> bool:
        ports = rule.get("ports") or []
        if ports and not any(_port_fits(p, port, owner) for p in ports):
            return False
        peers = rule.get(word) or []
        return not peers or any(self._peer_fits(p, policy, peer) for p in peers)

    def _peer_fits(self, want: Obj, policy: Obj, peer: Obj) -> bool:
        if "ipBlock" in want:
            address = ipaddress.ip_address(dig(peer, "status", "podIP", default="0.0.0.0"))  # noqa: S104  # matches nothing
            inside = address in ipaddress.ip_network(want["ipBlock"]["cidr"])
            return inside and not any(
                address in ipaddress.ip_network(e) for e in want["ipBlock"].get("except") or []
            )
        namespace = peer["metadata"]["namespace"]
        if "namespaceSelector" in want:
            found = next(
                (n for n in self._of("Namespace") if n["metadata"]["name"] == namespace), None
            )
            if found is None or not matches_selector(
                want["namespaceSelector"] or {}, found["metadata"].get("labels", {})
            ):
                return False
        elif namespace != policy["metadata"]["namespace"]:
            return False
        return "podSelector" not in want or matches_selector(
            want["podSelector"] or {}, peer["metadata"].get("labels", {})
        )


_CONTROL_PLANE: Obj = {
    "metadata": {"name": "kube-apiserver", "namespace": "", "labels": {}},
    "spec": {"hostNetwork": True},
}


def listens(pod: Obj, port: int) -> bool:
    """Whether a running container of the pod declares the port: on the embedded cluster that is
    what listens."""
    declared = any(
        int(p["containerPort"]) == port
        for c in pod["spec"]["containers"]
        for p in c.get("ports") or []
    )
    return declared and any(
        "running" in s.get("state", {}) for s in dig(pod, "status", "containerStatuses", default=[])
    )


def _port_fits(want: Obj, port: int, owner: Obj) -> bool:
    number = want.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        return any(
            p.get("name") == number and int(p["containerPort"]) == port
            for c in owner["spec"]["containers"]
            for p in c.get("ports") or []
        )
    return int(number) <= port <= int(want.get("endPort") or number)


def _selected(want: dict[str, Any] | None, pod: Obj, zone: Callable[[str], str]) -> bool:
    return not want or matches(pod, want, zone)


def _glob_host(host: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    if "/" in pattern:
        return _is_address(host) and ipaddress.ip_address(host) in ipaddress.ip_network(pattern)
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return host == pattern


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _inside(host: str) -> bool:
    return host.startswith(("10.244.", "10.96.", "10.99.", "127."))


def _alive(pod: Obj) -> bool:
    return bool(dig(pod, "status", "phase") == "Running")


def _ready(pod: Obj) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True" and bool(dig(pod, "status", "podIP"))
