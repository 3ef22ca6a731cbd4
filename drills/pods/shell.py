"""The output of a command in a container: the scenario's answers first, then the probes' measuring
scripts, then a few common commands."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from drills.api.objects import Obj, dig
from drills.pods import mini_shell
from drills.pods.connectivity import ConnectResult, Network
from drills.pods.probe_scripts import ScriptRun, kind_of, search_domains
from drills.pods.selection import matches
from drills.pods.surroundings import ScenarioRule

_SHELLS = frozenset({"sh", "bash", "ash"})
_CONNECT_WORDS = {
    "refused": "Connection refused",
    "noroute": "No route to host",
    "netunreach": "Network is unreachable",
    "timeout": "Connection timed out",
}


@dataclass(frozen=True, slots=True)
class StreamOutput:
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
    """`network` answers connects and has the scenario's `commands` rules: match (regular expression
    on the joined command), pods (selection), stdout, stderr, code, seconds, missing (the binary is
    not there), tools (of the image). `speed` shortens pauses."""

    def __init__(self, network: Network, speed: float) -> None:
        self._network, self._speed = network, max(speed, 0.001)

    async def run(
        self, pod: Obj, container: str, command: list[str]
    ) -> AsyncIterator[StreamOutput | Exit]:
        """Pieces of output, then one Exit."""
        for piece in self._answer(pod, container, command):
            if isinstance(piece, StreamOutput) and piece.pause:
                piece = StreamOutput(piece.stream, piece.data, piece.pause / self._speed)
            yield piece

    def _answer(
        self, pod: Obj, container: str, command: list[str]
    ) -> Iterator[StreamOutput | Exit]:
        text, tools = " ".join(command), self._tools(pod)
        for rule in self._rules(pod):
            if re.search(str(rule.get("match", ".*")), text, re.DOTALL):
                return self._ruled(rule, command)
        script = command[2] if len(command) > 2 and command[1] == "-c" else ""
        kind, python = kind_of(script), bool(command) and command[0].startswith("python")
        if kind and python and "python3" not in tools:
            return iter([_missing(command)])
        if kind:
            arguments = command[3 if python else 4 :]
            run = ScriptRun(self._network, pod, kind, arguments, tools, python)
            return self._measured(run)
        if script and command[0].rsplit("/", 1)[-1] in _SHELLS:
            return self._scripted(pod, container, script)
        return iter(self._command(pod, container, command))

    @staticmethod
    def _ruled(rule: ScenarioRule, command: list[str]) -> Iterator[StreamOutput | Exit]:
        if rule.get("missing"):
            yield _missing(command)
            return
        yield StreamOutput(1, str(rule.get("stdout", "")).encode(), float(rule.get("seconds", 0)))
        if rule.get("stderr"):
            yield StreamOutput(2, str(rule["stderr"]).encode())
        yield Exit(int(rule.get("code", 0)))

    @staticmethod
    def _measured(run: ScriptRun) -> Iterator[StreamOutput | Exit]:
        for line, seconds in run.lines():
            yield StreamOutput(1, line.encode(), seconds)
        yield Exit(0)

    def _scripted(self, pod: Obj, container: str, script: str) -> Iterator[StreamOutput | Exit]:
        done = mini_shell.run(script, lambda words: self._simple(pod, container, words))
        if done is None:
            yield StreamOutput(2, b"sh: the drill's shell reads simple commands only\n")
            yield Exit(2)
        else:
            yield StreamOutput(1, done[0])
            yield StreamOutput(2, done[1])
            yield Exit(done[2])

    def _rules(self, pod: Obj) -> list[ScenarioRule]:
        rules, zone_of = self._network.around.commands, self._network.zone
        return [r for r in rules if matches(pod, r.get("pods"), zone_of)]

    def _tools(self, pod: Obj) -> list[str]:
        """The tools of the image: a busybox unless a rule names others."""
        named = (list(r["tools"]) for r in self._rules(pod) if "tools" in r)
        return next(named, ["nc", "wget", "timeout"])

    def _simple(self, pod: Obj, container: str, words: list[str]) -> tuple[bytes, bytes, int]:
        """(stdout, stderr, exit status) of one command of a script."""
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

    def _command(self, pod: Obj, container: str, words: list[str]) -> list[StreamOutput | Exit]:
        name = words[0].rsplit("/", 1)[-1] if words else ""
        if name == "cat" and len(words) > 1:
            return self._cat(pod, words[1])
        if name in {"nslookup", "getent"} and len(words) > 1:
            return self._look_up(pod, words[-1])
        if name in {"nc", "wget", "curl"}:
            return self._connect(pod, words)
        if name == "false":
            return [Exit(1)]
        out = {
            **dict.fromkeys(("true", "sleep", *_SHELLS), ""),
            **dict.fromkeys(("env", "printenv"), _environment(pod, container)),
            "echo": " ".join(words[1:]) + "\n",
            "hostname": pod["metadata"]["name"] + "\n",
            "whoami": "nobody\n",
            "pwd": "/\n",
            "date": time.strftime("%a %b %e %H:%M:%S UTC %Y\n", time.gmtime()),
            "id": "uid=65532 gid=65532 groups=65532\n",
            "ls": "bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\nusr\nvar\n",
            "ps": f"PID   USER     TIME  COMMAND\n    1 nobody    0:07 {container}\n",
        }.get(name)
        return [_missing(words)] if out is None else _printed(out)

    @staticmethod
    def _cat(pod: Obj, path: str) -> list[StreamOutput | Exit]:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        address = dig(pod, "status", "podIP", default="")
        resolver = f"search {search_domains(pod)}\nnameserver 10.96.0.10\noptions ndots:5\n"
        files = {
            "/etc/resolv.conf": resolver,
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{name}\n",
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace": namespace,
        }
        if path in files:
            return _printed(files[path])
        text = f"cat: can't open '{path}': No such file or directory\n"
        return [StreamOutput(2, text.encode()), Exit(1)]

    def _look_up(self, pod: Obj, name: str) -> list[StreamOutput | Exit]:
        found = self._network.resolve(pod, name)
        head = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n"
        if not isinstance(found, ConnectResult):
            return _printed(f"{head}Name:\t{name}\nAddress: {found}\n")
        if found.said == "timeout":
            return _printed(";; connection timed out; no servers could be reached\n", 1, 4.0)
        return _printed(f"{head}** server can't find {name}: NXDOMAIN\n", 1)

    def _connect(self, pod: Obj, words: list[str]) -> list[StreamOutput | Exit]:
        text = " ".join(words[1:])
        url = re.search(r"https?://([^/:\s]+)(?::(\d+))?", text)
        if url:
            host, port = url.group(1), int(url.group(2) or (443 if "https" in text else 80))
        else:
            plain = [w for w in words[1:] if not w.startswith("-")]
            host = next((w for w in plain if not w.isdigit()), "")
            port = next((int(w) for w in reversed(plain) if w.isdigit()), 80)
        outcome = self._network.connect(pod, host, port)
        said, pause = outcome.said, outcome.ms / 1000
        if said == "open":
            return _printed("<html><body>ok</body></html>\n" if url else "", 0, pause)
        why = _CONNECT_WORDS.get(said, f"bad address '{host}'")
        code = {"timeout": 28, "noname": 6}.get(said, 7) if words[0] == "curl" else 1
        complaint = f"{words[0]}: {host} ({host}:{port}): {why}\n"
        return [StreamOutput(2, complaint.encode(), pause), Exit(code)]


def _printed(text: str, code: int = 0, pause: float = 0.0) -> list[StreamOutput | Exit]:
    return [StreamOutput(1, text.encode(), pause), Exit(code)]


def _environment(pod: Obj, container: str) -> str:
    containers = pod["spec"]["containers"]
    spec = next((c for c in containers if c["name"] == container), containers[0])
    lines = [
        f"HOSTNAME={pod['metadata']['name']}",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "KUBERNETES_SERVICE_HOST=10.96.0.1",
        *(f"{e['name']}={e['value']}" for e in spec.get("env") or [] if "value" in e),
    ]
    return "\n".join(lines) + "\n"


def _missing(command: list[str]) -> Exit:
    name = command[0] if command else ""
    return Exit(
        126,
        "error executing command in container: failed to exec in container: failed to start exec: "
        "OCI runtime exec failed: exec failed: unable to start container process: exec: "
        f'"{name}": executable file not found in $PATH: unknown',
    )
