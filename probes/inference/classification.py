"""Turns the output of the measuring script into result classes.

The kernel's counters decide where they can be read: they separate a RST (AttemptFails with a
segment received) from an ICMP error (Icmp InDestUnreachs), while the tool says "refused" for both.
Measured on Linux 6.18, see `probes.scripts.connectivity`. In a busy network namespace (`idle` shows
traffic) only the time decides: a refusal after one second was an ICMP error on a repeated SYN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from cluster.kube.text import NOT_JSON, clean_json, clean_line
from probes.result import ResultClass, Try


class ScriptLine(msgspec.Struct, frozen=True):
    """One line of the script; fields as in `probes.scripts.connectivity`."""

    event: str
    n: int = 0
    target: str = ""
    at: int = 0
    ms: int = 0
    said: str = ""
    rc: int = 0
    opens: int = 0
    fails: int = 0
    resets: int = 0
    retrans: int = 0
    segs: int = 0
    unreach: int = 0
    six: int = 0
    icmp: str = ""
    from_: str = msgspec.field(default="", name="from")
    tool: str = ""
    has: str = ""
    counters: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """Output of one exec. `error` is one sentence when it must not be counted."""

    tries: tuple[ScriptLine, ...]
    tool: str
    has_python: bool
    counters: bool
    quiet: bool
    """The network namespace had no other traffic during the control interval."""
    error: str = ""


_decoder = msgspec.json.Decoder(ScriptLine)


def read(text: str) -> Output:
    """Parses the script's standard output. Does not raise: an incomplete output has its tries and
    an `error`."""
    begin: ScriptLine | None = None
    idle: ScriptLine | None = None
    end: ScriptLine | None = None
    tries: list[ScriptLine] = []
    strange = ""
    for raw in text.splitlines():
        if not raw.startswith("{"):
            strange = strange or clean_line(raw, 200)
            continue
        try:
            line = _decoder.decode(clean_json(raw).encode("utf-8", "replace"))
        except NOT_JSON:
            strange = strange or clean_line(raw, 200)
            continue
        match line.event:
            case "begin":
                begin = line
            case "idle":
                idle = line
            case "try":
                tries.append(line)
            case "end":
                end = line
            case _:
                strange = strange or clean_line(raw, 200)
    error = ""
    if begin is None:
        error = (
            f"the container printed no result{f' but {strange!r}' if strange else ''}; it may "
            "have no shell"
        )
    elif begin.tool == "none":
        seen = f" (it has {clean_line(begin.has, 80)})" if begin.has else ""
        error = (
            f"the container has a shell but no usable nc, bash, perl or wget{seen}; use another "
            "image"
        )
    elif end is None or end.count != len(tries):
        amount = "no end mark" if end is None else f"{end.count} announced"
        error = f"the output was cut: {len(tries)} tries arrived, {amount}; measure again"
    noisy = idle is not None and (idle.opens + idle.fails + idle.retrans + idle.unreach > 0)
    return Output(
        tries=tuple(tries),
        tool=begin.tool if begin else "",
        has_python=bool(begin and "python3" in begin.has.split()),
        counters=bool(begin and begin.counters),
        quiet=idle is not None and not noisy,
        error=error,
    )


def judge(line: ScriptLine, *, counters: bool, quiet: bool, timeout_s: int = 4) -> Try:
    """The class of one try."""
    verdict, icmp, detail = _judge(line, counters, quiet, timeout_s)
    at = datetime.fromtimestamp(line.at, UTC) if 0 < line.at < 1 << 33 else None
    return Try(verdict, max(0, line.ms), at, icmp, clean_line(line.from_, 64), detail)


RATE_LIMIT_S = 6.0
_CODES = {"refused": "3/3", "noroute": "3/1", "netunreach": "3/0", "denied": "3/13"}
_CODES6 = {"refused": "1/4", "noroute": "1/3", "netunreach": "1/0", "denied": "1/1"}
"""The tool's words, which are those of errno, by ICMP type and code (tables in Linux
net/ipv4/icmp.c and net/ipv6/icmp.c)."""


def _literal(target: str) -> bool:
    """Whether HOST is an address and not a name."""
    host = target.rpartition(":")[0]
    return host.startswith("[") or (host.replace(".", "").isdigit() and host.count(".") == 3)


def _judge(
    line: ScriptLine, counters: bool, quiet: bool, timeout_s: int
) -> tuple[ResultClass, str, str]:
    if line.said == "missing":
        return ResultClass.TOOL_MISSING, "", "the tool is no longer in the container"
    if line.said == "open":
        slow = " (a SYN was lost)" if counters and quiet and line.retrans else ""
        return ResultClass.OK, "", f"accepted{slow}"
    if line.icmp:
        return ResultClass.REJECTED, line.icmp, "ICMP error, read from the socket's error queue"
    if line.said == "noname" and _literal(line.target):
        return (
            ResultClass.TOOL_MISSING,
            "",
            "the tool in that image does not accept such an address; use another image",
        )
    if line.said == "noname":
        if line.ms >= timeout_s * 1000:
            return ResultClass.DNS_TIMEOUT, "", "the name server did not answer in time"
        return ResultClass.DNS_NXDOMAIN, "", "the name could not be resolved"
    if line.tool == "python3" and line.said == "refused":
        return ResultClass.REFUSED, "", "RST"
    if counters and quiet:
        found = _by_counters(line, timeout_s)
        if found:
            return found
    return _by_words(line, counters and not quiet)


def _by_counters(line: ScriptLine, timeout_s: int) -> tuple[ResultClass, str, str] | None:
    if line.opens == 0:
        if line.said == "timeout" or line.ms >= timeout_s * 1000:
            return (
                ResultClass.DNS_TIMEOUT,
                "",
                "no packet was sent within the time limit: the name server did not answer",
            )
        if line.said in ("netunreach", "noroute", "denied"):
            return ResultClass.UNREACHABLE, "", "no route in the pod itself: no packet was sent"
        return None
    if line.unreach:
        if line.six:
            code = _CODES6.get(line.said, "1/?")
            return ResultClass.REJECTED, code, f"ICMPv6 {code}, from the namespace's counters"
        code = _CODES.get(line.said, "3/?")
        more = "" if line.said == "refused" else " or its administrative variants"
        return ResultClass.REJECTED, code, f"ICMP {code}{more}, from the namespace's counters"
    if line.said == "timeout" and line.retrans >= _repeats(timeout_s):
        # A segment received meanwhile belongs to another connection, such as a late FIN.
        return ResultClass.TIMEOUT_CONNECT, "", f"no answer: {line.retrans} SYNs were repeated"
    if line.fails and line.segs:
        return ResultClass.REFUSED, "", "RST, from the namespace's counters"
    if line.resets and line.segs:
        return ResultClass.RESET, "", "the connection was accepted and then reset"
    if line.segs and not line.fails and line.said in ("other", "timeout"):
        return (
            ResultClass.OK,
            "",
            "accepted: the counters show an established connection, the tool failed later",
        )
    if line.retrans and not line.segs:
        return ResultClass.TIMEOUT_CONNECT, "", f"no answer: {line.retrans} SYNs were repeated"
    return None


def _repeats(timeout_s: int) -> int:
    """How often an unanswered SYN is repeated at least within this time: after 1, 3, 7, 15 s (RFC
    6298; newer kernels repeat the first ones sooner, tcp_syn_linear_timeouts)."""
    return max(1, (timeout_s + 1).bit_length() - 1)


def _by_words(line: ScriptLine, busy: bool) -> tuple[ResultClass, str, str]:
    basis = "busy namespace, judged by the time" if busy else "no counters, judged by the time"
    codes = _CODES6 if line.target.startswith("[") else _CODES
    match line.said:
        case "refused" if line.ms >= 900:
            return (
                ResultClass.REJECTED,
                codes["refused"],
                f"refused after {line.ms} ms: an ICMP error on a repeated SYN ({basis})",
            )
        case "refused":
            return (
                ResultClass.REFUSED,
                "",
                "refused at once; a RST, unless the tool gives up on the first ICMP error "
                f"({basis})",
            )
        case "noroute" | "netunreach" | "denied":
            if line.ms < 50:
                return ResultClass.UNREACHABLE, "", f"no route ({basis})"
            return ResultClass.REJECTED, codes[line.said], f"ICMP error ({basis})"
        case "timeout":
            return ResultClass.TIMEOUT_CONNECT, "", "no answer"
        case _:
            return (
                ResultClass.NOT_MEASURED,
                "",
                f"the tool ended with code {line.rc} and an unknown message",
            )


def judge_all(output: Output, timeout_s: int = 4) -> dict[str, list[Try]]:
    """Tries by target, in order of time."""
    judged: dict[str, list[Try]] = {}
    for line in output.tries:
        each = judge(
            _with_tool(line, output.tool),
            counters=output.counters,
            quiet=output.quiet,
            timeout_s=timeout_s,
        )
        judged.setdefault(line.target, []).append(each)
    return judged


def _with_tool(line: ScriptLine, tool: str) -> ScriptLine:
    return line if line.tool else msgspec.structs.replace(line, tool=tool)


def mark_rate_limited(tries: Sequence[Try]) -> list[Try]:
    """Marks timeouts within `RATE_LIMIT_S` seconds after an ICMP refusal, in tries in order of
    time: the sender may have reached its rate limit (Linux: one a second after a burst of six).
    Such a try is not counted."""
    marked: list[Try] = []
    last_rejection: datetime | None = None
    for each in tries:
        if each.verdict is ResultClass.REJECTED and each.at is not None:
            last_rejection = each.at
        if (
            each.verdict is ResultClass.TIMEOUT_CONNECT
            and each.at is not None
            and last_rejection is not None
            and (each.at - last_rejection).total_seconds() <= RATE_LIMIT_S
        ):
            why = "no answer just after ICMP refusals: their sender may limit its rate"
            marked.append(Try(ResultClass.RATE_LIMIT_SUSPECT, each.ms, each.at, "", "", why))
        else:
            marked.append(each)
    return marked
