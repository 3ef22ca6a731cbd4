"""What the measuring scripts of the probes print inside a container of the drill.

Options and lines follow `assets/probe-protocol.json`, which the scripts follow too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from drills.api.objects import Obj
from drills.pods.connectivity import ConnectResult, Network

SPECIFICATION: dict[str, Any] = json.loads(
    files("assets").joinpath("probe-protocol.json").read_bytes()
)
_EXIT = {"open": 0, "timeout": 143, "noname": 1}
_ERRNO = {"open": 0, "refused": 111, "noroute": 113, "netunreach": 101, "timeout": 110}
TimedLine = tuple[str, float]
"""A line and the seconds that pass before it."""


def header(kind: str) -> str:
    """The first line of a script."""
    return str(SPECIFICATION["header"]).format(kind=kind, version=SPECIFICATION["version"])


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """One run of a script in a pod. `tools`: the programs of its image; `python`: the script is the
    one for python3."""

    network: Network
    pod: Obj
    kind: str
    arguments: list[str]
    tools: list[str]
    python: bool

    def lines(self) -> Iterator[TimedLine]:
        """Everything that the script prints."""
        count = 0
        for event, values, milliseconds in _SCRIPTS[self.kind](self):
            if event == "try":
                count += 1
                values = {"n": count, **values}
            yield self._line(event, values), milliseconds / 1000
        yield self._line("end", {"count": count}), 0.0

    def _line(self, event: str, values: dict[str, Any]) -> str:
        """A line of the protocol. Raises KeyError for a field that it does not have."""
        fields = SPECIFICATION["kinds"][self.kind]["lines"][event]
        if unknown := set(values) - set(fields):
            raise KeyError(f"{self.kind}.{event} has no {', '.join(unknown)}")
        return json.dumps({"event": event, **fields, **values}, separators=(",", ":")) + "\n"

    def option(self, name: str) -> int:
        default = SPECIFICATION["kinds"][self.kind]["options"][name]
        given = [a.partition("=")[2] for a in self.arguments if a.startswith(f"{name}=")]
        return next((int(value) for value in reversed(given) if value.isdigit()), int(default))

    def every(self, name: str) -> list[str]:
        given = (a.partition("=") for a in self.arguments)
        return [value for key, _, value in given if key == name]

    def targets(self) -> Iterator[tuple[str, str, int]]:
        """(target as given, host, port)."""
        for target in self.arguments:
            if "=" not in target and ":" in target:
                host, _, port = target.rpartition(":")
                yield target, host.strip("[]"), int(port)


ScriptStep = tuple[str, dict[str, Any], int]
"""Event, fields, milliseconds that it takes."""


def _connectivity(run: ScriptRun) -> Iterator[ScriptStep]:
    tool = "python3" if run.python else "nc" if "nc" in run.tools else "none"
    has = "python3" if run.python else " ".join(run.tools)
    yield "begin", {"tool": tool, "has": has, "counters": 1}, 0
    yield "idle", {"ms": 500}, 500
    limit = run.option("timeout") * 1000
    for attempt in range(run.option("tries")):
        for target, host, port in run.targets():
            outcome = run.network.connect(run.pod, host, port, attempt)
            seen = _seen_connect(outcome, limit, python=run.python)
            values = {"target": target, "at": int(time.time()), **seen}
            yield "try", values, seen["ms"] + run.option("gap")


def _seen_connect(outcome: ConnectResult, limit: int, *, python: bool) -> dict[str, Any]:
    """What a connect leaves in the kernel's counters, and what the tool says. With python the error
    queue ends the connect at the first ICMP error."""
    said, opened, rejected = outcome.said, outcome.said == "open", bool(outcome.icmp)
    resolved = said != "noname" and not (said == "timeout" and outcome.retrans == 0)
    reset, early = said == "refused" and not rejected, python and rejected
    code = _ERRNO.get(said, 1) if python else _EXIT.get(said, 1)
    return {
        "ms": limit if said == "timeout" else 1 if early else outcome.ms,
        "said": said,
        "rc": code,
        "opens": int(resolved),
        "fails": int(rejected or reset),
        "retrans": 0 if early else outcome.retrans,
        "segs": 2 * opened + reset,
        "unreach": (1 if early else 2) * rejected,
        **({"icmp": outcome.icmp, "from": outcome.sender} if python else {}),
    }


def _dns(run: ScriptRun) -> Iterator[ScriptStep]:
    """Each server for each name; what stayed silent twice is not asked again."""
    yield "begin", {"tool": "nslookup", "has": "nslookup timeout"}, 0
    search = search_domains(run.pod)
    yield "conf", {"nameservers": "10.96.0.10", "options": "ndots:5", "search": search}, 0
    once, silent, alive = set[str](), set[str](), set[str]()
    servers, names = run.every("server"), run.every("name")
    for attempt in range(run.option("tries")):
        for server, name in ((s, n) for s in servers for n in names):
            keys = {server, f"{server}/{name}"}
            if keys & silent:
                continue
            plain, limit = name.rstrip("."), run.option("timeout")
            said, ms = run.network.look_up(run.pod, server, plain, attempt, limit)
            if said == "timeout":
                silent |= keys & once - alive
                once |= keys
            else:
                alive |= keys
            values = {"server": server, "name": name, "at": int(time.time()), "ms": ms}
            values |= {"said": said, "rc": int(said != "found")}
            yield "try", values, ms + run.option("gap")


def search_domains(pod: Obj) -> str:
    return f"{pod['metadata']['namespace']}.svc.cluster.local svc.cluster.local cluster.local"


def _mtu(run: ScriptRun) -> Iterator[ScriptStep]:
    """Packets of every size pass, where the connect works."""
    yield "begin", {"tool": "nc", "mtu": 1450, "interface": "eth0", "counters": 1}, 0
    limit = run.option("timeout") * 1000
    for target, host, port in run.targets():
        for size in run.every("size"):
            outcome = run.network.connect(run.pod, host, port)
            opened = outcome.said == "open"
            ms = 20 if opened else limit if outcome.said == "timeout" else outcome.ms
            values = {
                "target": target,
                "size": int(size),
                "ms": ms,
                "rc": int(not opened),
                "opens": 1,
                "fails": int(outcome.said == "refused"),
                "retrans": outcome.retrans,
                "segs": 6 * opened,
            }
            yield "try", values, ms


_SCRIPTS: dict[str, Callable[[ScriptRun], Iterator[ScriptStep]]] = {
    "connectivity": _connectivity,
    "dns": _dns,
    "mtu": _mtu,
}


def kind_of(script: str) -> str | None:
    """Which measuring script a text is; None for another script."""
    return next((kind for kind in _SCRIPTS if script.startswith(header(kind))), None)
