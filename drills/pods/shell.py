"""What a command answers inside a container: the scenario's own answers first, then the measuring
script of the connectivity probe, then a handful of everyday commands."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from drills.api.objects import Obj, dig
from drills.api.world import matches
from drills.pods.connectivity import Network, Outcome
from drills.pods.mini_shell import run

MARKER = "# stanch-probe connectivity v1"
DNS_MARKER = "# stanch-probe dns v1"
MTU_MARKER = "# stanch-probe mtu v1"
_EXIT = {"open": 0, "timeout": 143, "noname": 1}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer: bytes on a stream (1 stdout, 2 stderr) after a pause in seconds."""

    stream: int
    data: bytes
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a command. `message` is set when it could not be started."""

    code: int
    message: str = ""


class Shell:
    """`network` answers connects; `commands` are the scenario's rules: match (regular expression on
    the joined command), pods (selection), stdout, stderr, code, seconds, missing (the binary is not
    there). `speed` shortens pauses."""

    def __init__(self, network: Network, commands: list[dict[str, Any]], speed: float) -> None:
        self._network, self._commands, self._speed = network, commands, max(speed, 0.001)

    async def run(
        self, pod: Obj, container: str, command: list[str]
    ) -> AsyncIterator[Piece | Exit]:
        """Pieces of output, then one Exit."""
        text = " ".join(command)
        for rule in self._commands:
            if (
                not rule.get("pods") or matches(pod, rule["pods"], self._network.zone)
            ) and re.search(str(rule.get("match", ".*")), text, re.DOTALL):
                if rule.get("missing"):
                    yield _missing(command)
                    return
                pause = float(rule.get("seconds", 0)) / self._speed
                yield Piece(1, str(rule.get("stdout", "")).encode(), pause)
                if rule.get("stderr"):
                    yield Piece(2, str(rule["stderr"]).encode())
                yield Exit(int(rule.get("code", 0)))
                return
        script = command[2] if len(command) > 2 and command[1] == "-c" else ""
        if script.startswith(MARKER):
            python = command[0].startswith("python")
            if python and "python3" not in self.tools(pod):
                yield _missing(command)
                return
            async for piece in self._measure(pod, command[3 if python else 4 :], python=python):
                yield piece
            return
        if script.startswith(DNS_MARKER):
            async for piece in self._ask(pod, command[4:]):
                yield piece
            return
        if script.startswith(MTU_MARKER):
            async for piece in self._send(pod, command[4:]):
                yield piece
            return
        for result in self._everyday(pod, container, command):
            yield result

    def tools(self, pod: Obj) -> list[str]:
        """What the image has. Python images have python3; the rest is a busybox."""
        for rule in self._commands:
            if "tools" in rule and (
                not rule.get("pods") or matches(pod, rule["pods"], self._network.zone)
            ):
                return list(rule["tools"])
        return ["nc", "wget", "timeout"]

    async def _measure(
        self, pod: Obj, arguments: list[str], *, python: bool
    ) -> AsyncIterator[Piece | Exit]:
        options = {"tries": 1, "gap": 1100, "timeout": 4}
        targets: list[str] = []
        for argument in arguments:
            key, equals, value = argument.partition("=")
            if equals:
                if key in options and value.isdigit():
                    options[key] = int(value)
            elif ":" in argument:
                targets.append(argument)
        tools = self.tools(pod)
        yield _line(
            {
                "event": "begin",
                "v": 1,
                "tool": "python3" if python else "nc" if "nc" in tools else "none",
                "has": "python3" if python else " ".join(tools),
                "counters": 1,
            }
        )
        idle = dict.fromkeys(("opens", "fails", "resets", "retrans", "segs", "unreach"), 0)
        yield _line({"event": "idle", "ms": 500, **idle}, 0.5 / self._speed)
        number = 0
        for attempt in range(options["tries"]):
            for target in targets:
                host, _, port = target.rpartition(":")
                number += 1
                outcome = self._network.connect(pod, host.strip("[]"), int(port), attempt)
                yield _line(
                    _try(number, target, outcome, options["timeout"], python=python),
                    (_duration(outcome, options["timeout"], python) + options["gap"])
                    / 1000
                    / self._speed,
                )
        yield _line({"event": "end", "count": number})
        yield Exit(0)

    async def _ask(self, pod: Obj, arguments: list[str]) -> AsyncIterator[Piece | Exit]:
        """The measuring script of the dns probe: each server for each name."""
        pairs = [argument.partition("=")[::2] for argument in arguments]
        options = {"tries": 1, "gap": 100, "timeout": 6} | {
            key: int(value) for key, value in pairs if value.isdigit()
        }
        servers, names = (
            [value for key, value in pairs if key == what] for what in ("server", "name")
        )
        yield _line({"event": "begin", "v": 1, "tool": "nslookup", "has": "nslookup timeout"})
        yield _line(
            {
                "event": "conf",
                "nameservers": "10.96.0.10",
                "options": "ndots:5",
                "search": f"{pod['metadata']['namespace']}.svc.cluster.local svc.cluster.local cluster.local",
            }
        )
        number, once, silent, alive = 0, set[str](), set[str](), set[str]()
        for attempt in range(options["tries"]):
            for server in servers:
                for name in names:
                    keys = {server, f"{server}/{name}"}
                    if keys & silent:
                        continue  # the script gives up on whoever stayed silent twice
                    number += 1
                    said, ms = self._network.look_up(
                        pod, server, name.rstrip("."), attempt, options["timeout"]
                    )
                    yield _line(
                        {
                            "event": "try",
                            "n": number,
                            "server": server,
                            "name": name,
                            "at": int(time.time()),
                            "ms": ms,
                            "said": said,
                            "rc": 0 if said == "found" else 1,
                        },
                        (ms + options["gap"]) / 1000 / self._speed,
                    )
                    if said == "timeout":
                        silent |= keys & once - alive
                        once |= keys
                    else:
                        alive |= keys
        yield _line({"event": "end", "count": number})
        yield Exit(0)

    async def _send(self, pod: Obj, arguments: list[str]) -> AsyncIterator[Piece | Exit]:
        """The measuring script of the mtu probe: packets of every size pass here, only connects
        fail."""
        sizes = [int(a.removeprefix("size=")) for a in arguments if a.startswith("size=")]
        yield _line(
            {
                "event": "begin",
                "v": 1,
                "tool": "nc",
                "mtu": 1450,
                "interface": "eth0",
                "counters": 1,
            }
        )
        number = 0
        for target in (a for a in arguments if "=" not in a):
            host, _, port = target.rpartition(":")
            for size in sizes:
                number += 1
                outcome = self._network.connect(pod, host.strip("[]"), int(port), 0)
                ms, opened = (
                    (20, True) if outcome.said == "open" else (_duration(outcome, 5, False), False)
                )
                yield _line(
                    {
                        "event": "try",
                        "n": number,
                        "target": target,
                        "size": size,
                        "ms": ms,
                        "rc": int(not opened),
                        "opens": 1,
                        "fails": int(outcome.said == "refused"),
                        "retrans": outcome.retrans,
                        "segs": 6 * opened,
                    },
                    ms / 1000 / self._speed,
                )
        yield _line({"event": "end", "count": number})
        yield Exit(0)

    def _everyday(self, pod: Obj, container: str, command: list[str]) -> list[Piece | Exit]:
        if (
            len(command) >= 3
            and command[0].rsplit("/", 1)[-1] in {"sh", "bash", "ash"}
            and command[1] == "-c"
        ):
            done = run(command[2], lambda words: self._simple(pod, container, words))
            if done is None:
                return [Piece(2, b"sh: the drill's shell reads simple commands only\n"), Exit(2)]
            return [Piece(1, done[0]), Piece(2, done[1]), Exit(done[2])]
        return self._command(pod, container, command)

    def _simple(self, pod: Obj, container: str, words: list[str]) -> tuple[bytes, bytes, int]:
        out, err, code = b"", b"", 0
        for part in self._command(pod, container, words):
            if isinstance(part, Exit):
                code = 127 if part.message else part.code
                err += f"sh: {words[0]}: not found\n".encode() if part.message else b""
            elif part.stream == 1:
                out += part.data
            else:
                err += part.data
        return out, err, code

    def _command(self, pod: Obj, container: str, command: list[str]) -> list[Piece | Exit]:
        words = command
        name = words[0].rsplit("/", 1)[-1] if words else ""
        out = {
            "echo": " ".join(words[1:]) + "\n",
            "true": "",
            "sleep": "",
            "sh": "",
            "bash": "",
            "ash": "",
            "hostname": pod["metadata"]["name"] + "\n",
            "whoami": "nobody\n",
            "pwd": "/\n",
            "date": time.strftime("%a %b %e %H:%M:%S UTC %Y\n", time.gmtime()),
            "id": "uid=65532 gid=65532 groups=65532\n",
            "env": self._environment(pod, container),
            "printenv": self._environment(pod, container),
            "ls": "bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\nusr\nvar\n",
            "ps": "PID   USER     TIME  COMMAND\n    1 nobody    0:07 " + container + "\n",
        }.get(name)
        if name == "cat" and len(words) > 1:
            return self._cat(pod, words[1])
        if name in {"nslookup", "getent"} and len(words) > 1:
            return self._lookup(pod, words[-1])
        if name in {"nc", "wget", "curl"}:
            return self._connect(pod, words)
        if name == "false":
            return [Exit(1)]
        if out is None:
            return [_missing(command)]
        return [Piece(1, out.encode()), Exit(0)]

    @staticmethod
    def _environment(pod: Obj, container: str) -> str:
        spec = next(
            (c for c in pod["spec"]["containers"] if c["name"] == container),
            pod["spec"]["containers"][0],
        )
        plain = [f"{e['name']}={e['value']}" for e in spec.get("env") or [] if "value" in e]
        return (
            "\n".join(
                [
                    f"HOSTNAME={pod['metadata']['name']}",
                    "PATH=/usr/local/bin:/usr/bin:/bin",
                    "KUBERNETES_SERVICE_HOST=10.96.0.1",
                    *plain,
                ]
            )
            + "\n"
        )

    def _cat(self, pod: Obj, path: str) -> list[Piece | Exit]:
        namespace = pod["metadata"]["namespace"]
        files = {
            "/etc/resolv.conf": f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\noptions ndots:5\n",
            "/etc/hostname": pod["metadata"]["name"] + "\n",
            "/etc/hosts": f"127.0.0.1\tlocalhost\n{dig(pod, 'status', 'podIP', default='')}\t{pod['metadata']['name']}\n",
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace": namespace,
        }
        if path in files:
            return [Piece(1, files[path].encode()), Exit(0)]
        return [
            Piece(2, f"cat: can't open '{path}': No such file or directory\n".encode()),
            Exit(1),
        ]

    def _lookup(self, pod: Obj, name: str) -> list[Piece | Exit]:
        found = self._network.resolve(pod, name)
        head = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n"
        if isinstance(found, Outcome):
            if found.said == "timeout":
                return [
                    Piece(
                        1,
                        b";; connection timed out; no servers could be reached\n",
                        4.0 / self._speed,
                    ),
                    Exit(1),
                ]
            return [Piece(1, f"{head}** server can't find {name}: NXDOMAIN\n".encode()), Exit(1)]
        return [Piece(1, f"{head}Name:\t{name}\nAddress: {found}\n".encode()), Exit(0)]

    def _connect(self, pod: Obj, words: list[str]) -> list[Piece | Exit]:
        text = " ".join(words[1:])
        url = re.search(r"https?://([^/:\s]+)(?::(\d+))?", text)
        if url:
            host, port = url.group(1), int(url.group(2) or (443 if "https" in text else 80))
        else:
            plain = [w for w in words[1:] if not w.startswith("-")]
            numbers = [w for w in plain if w.isdigit()]
            host, port = (
                next((w for w in plain if not w.isdigit()), ""),
                int(numbers[-1]) if numbers else 80,
            )
        outcome = self._network.connect(pod, host, port)
        pause = outcome.ms / 1000 / self._speed
        said = {
            "refused": "Connection refused",
            "noroute": "No route to host",
            "netunreach": "Network is unreachable",
            "timeout": "Connection timed out",
            "noname": f"bad address '{host}'",
        }.get(outcome.said)
        if said is None:
            return [Piece(1, b"<html><body>ok</body></html>\n" if url else b"", pause), Exit(0)]
        code = {"curl": {"timeout": 28, "noname": 6}.get(outcome.said, 7)}.get(words[0], 1)
        return [
            Piece(2, f"{words[0]}: {host} ({host}:{port}): {said}\n".encode(), pause),
            Exit(code),
        ]


def _missing(command: list[str]) -> Exit:
    name = command[0] if command else ""
    return Exit(
        126,
        "error executing command in container: failed to exec in container: failed to start exec: "
        "OCI runtime "
        f'exec failed: exec failed: unable to start container process: exec: "{name}": executable '
        "file not "
        "found in $PATH: unknown",
    )


def _line(data: dict[str, Any], pause: float = 0.0) -> Piece:
    return Piece(1, json.dumps(data, separators=(",", ":")).encode() + b"\n", pause)


def _duration(outcome: Outcome, limit: int, python: bool) -> int:
    if outcome.said == "timeout":
        return limit * 1000
    if python and outcome.icmp:
        return 1  # the error queue ends the connect at the first ICMP error
    return outcome.ms


def _try(number: int, target: str, outcome: Outcome, limit: int, *, python: bool) -> dict[str, Any]:
    """One `try` line with the counters that the kernel would show."""
    named = outcome.said != "noname" and not (outcome.said == "timeout" and outcome.retrans == 0)
    rejected, reset = bool(outcome.icmp), outcome.said == "refused" and not outcome.icmp
    early = python and rejected
    counters = {
        "opens": int(named),
        "fails": int(rejected or reset),
        "resets": 0,
        "retrans": 0 if early else outcome.retrans,
        "segs": int(outcome.said == "open") * 2 + int(reset),
        "unreach": (1 if early else 2) if rejected else 0,
    }
    code = (
        {"refused": 111, "noroute": 113, "netunreach": 101, "timeout": 110}.get(outcome.said, 1)
        if python
        else (_EXIT.get(outcome.said, 1))
    )
    out = {
        "event": "try",
        "n": number,
        "target": target,
        "at": int(time.time()),
        "ms": _duration(outcome, limit, python),
        "said": outcome.said,
        "rc": 0 if outcome.said == "open" else code,
        **counters,
    }
    if python:
        out.update({"icmp": outcome.icmp, "from": outcome.sender})
    return out
