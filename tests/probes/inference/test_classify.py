"""What the script prints, complete and damaged, to classes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.inference.classification import (
    ScriptLine,
    judge,
    judge_all,
    mark_rate_limited,
    read,
)
from probes.result import ResultClass, Try
from probes.scripts.connectivity import MARKER, PYTHON, SHELL, command, target


def facts(said: str, ms: int = 0, **counters: Any) -> dict[str, Any]:
    code = 0 if said == "open" else 1
    return {
        "n": 1,
        "target": "10.0.0.1:80",
        "at": 1795254131,
        "ms": ms,
        "said": said,
        "rc": code,
        "opens": 1,
        **counters,
    }


def judged(line: dict[str, Any], *, quiet: bool = True) -> Try:
    """The class of one `try` line."""
    return judge(msgspec.convert({"event": "try", **line}, ScriptLine), counters=True, quiet=quiet)


def printed(
    *tries: dict[str, Any],
    end: int | None = None,
    quiet: bool = True,
    tool: str = "nc",
    counters: int = 1,
) -> str:
    lines: list[dict[str, Any]] = [
        {"event": "begin", "v": 1, "tool": tool, "has": "nc", "counters": counters},
        {
            "event": "idle",
            "ms": 500,
            "opens": 0 if quiet else 4,
            "fails": 0,
            "resets": 0,
            "retrans": 0,
            "segs": 0,
            "unreach": 0,
        },
        *({"event": "try", **each} for each in tries),
    ]
    if end is None or end >= 0:
        lines.append({"event": "end", "count": len(tries) if end is None else end})
    return "\n".join(json.dumps(line) for line in lines)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (facts("open", segs=2), ResultClass.OK),
        (facts("refused", fails=1, segs=1), ResultClass.REFUSED),
        (facts("refused", 1010, fails=1, retrans=1, unreach=2), ResultClass.REJECTED),
        (facts("noroute", 1010, fails=1, retrans=1, unreach=2), ResultClass.REJECTED),
        (facts("timeout", 4000, retrans=3), ResultClass.TIMEOUT_CONNECT),
        (
            facts("timeout", 4000, retrans=2, segs=1),
            ResultClass.TIMEOUT_CONNECT,
        ),  # a late segment of the connection before
        (facts("timeout", 4000, retrans=2, segs=1, resets=1), ResultClass.TIMEOUT_CONNECT),
        (
            facts("timeout", 4000, segs=2),
            ResultClass.OK,
        ),  # a tool that waits for the other side to hang up
        (facts("timeout", 4000, retrans=1, segs=2), ResultClass.OK),  # the same, after a lost SYN
        (facts("netunreach", opens=0), ResultClass.UNREACHABLE),
        (facts("noname", opens=0, target="web.shop:80"), ResultClass.DNS_NXDOMAIN),
        (
            facts("noname", opens=0),
            ResultClass.TOOL_MISSING,
        ),  # an address needs no name server: the tool does not take it
        (facts("noname", opens=0, target="[fd00::1]:80"), ResultClass.TOOL_MISSING),
        (facts("timeout", 4010, opens=0, unreach=2), ResultClass.DNS_TIMEOUT),
        (facts("missing", opens=0), ResultClass.TOOL_MISSING),
        (
            facts("timeout", 20, unreach=1),
            ResultClass.REJECTED,
        ),  # a tool that hides the error behind its own time limit
        (facts("other", 30, segs=3), ResultClass.OK),  # wget against something that is not HTTP
        (facts("refused", 0, unreach=1, icmp="3/13", **{"from": "10.9.0.1"}), ResultClass.REJECTED),
    ],
)
def test_classes(line: dict[str, Any], verdict: ResultClass) -> None:
    assert judged(line).verdict is verdict


def test_in_a_busy_namespace_only_the_time_is_left() -> None:
    noisy = facts("refused", 1010, fails=3, retrans=2, unreach=5, segs=40)
    assert judged(noisy, quiet=False).verdict is ResultClass.REJECTED
    assert (
        judged(facts("refused", 0, fails=3, unreach=5, segs=40), quiet=False).verdict
        is ResultClass.REFUSED
    )
    assert "busy" in judged(noisy, quiet=False).detail
    output = read(printed(noisy, quiet=False))
    assert not output.quiet


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no result"),
        ("sh: not found", "sh: not found"),
        (printed(facts("open"), end=-1), "cut"),
        (printed(facts("open"), end=2), "cut"),
        (printed(tool="none"), "no usable"),
        ("\x1b]52;c;aGk=\x07", "no result"),
    ],
)
def test_damaged_output_is_an_error_and_says_which(text: str, word: str) -> None:
    output = read(text)
    assert word in output.error
    assert "\x1b" not in output.error


@given(st.text(max_size=400))
def test_reading_never_raises(text: str) -> None:
    read(text)
    read(printed(facts("open")) + "\n" + text)


def test_tries_are_kept_by_target_and_in_order() -> None:
    output = read(
        printed(
            facts("open"),
            {**facts("refused", fails=1, segs=1), "target": "b:1"},
            facts("timeout", 4000, retrans=2),
        )
    )
    found = judge_all(output)
    assert [t.verdict for t in found["10.0.0.1:80"]] == [
        ResultClass.OK,
        ResultClass.TIMEOUT_CONNECT,
    ]
    assert [t.verdict for t in found["b:1"]] == [ResultClass.REFUSED]
    assert found["b:1"][0].at == datetime.fromtimestamp(1795254131, UTC)


def test_timeouts_just_after_icmp_are_suspects_and_not_counted() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    series = [
        Try(ResultClass.REJECTED, 0, start),
        Try(ResultClass.TIMEOUT_CONNECT, 4000, start + timedelta(seconds=2)),
    ]
    assert [t.verdict for t in mark_rate_limited(series)] == [
        ResultClass.REJECTED,
        ResultClass.RATE_LIMIT_SUSPECT,
    ]
    late = [series[0], Try(ResultClass.TIMEOUT_CONNECT, 4000, start + timedelta(seconds=60))]
    assert mark_rate_limited(late)[1].verdict is ResultClass.TIMEOUT_CONNECT


@pytest.mark.parametrize(
    ("host", "shown"),
    [("10.0.0.1", "10.0.0.1:80"), ("2001:db8::1", "[2001:db8::1]:80"), ("a.b.svc", "a.b.svc:80")],
)
def test_targets(host: str, shown: str) -> None:
    assert target(host, 80) == shown


@pytest.mark.parametrize("host", ["a b", "$(reboot)", "a;b", "`x`", "-e", "", "a'b", "x\ny"])
def test_no_host_can_become_a_command(host: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        target(host, 80)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_are_ports(port: int) -> None:
    with pytest.raises(ValueError, match="not between"):
        target("a", port)


def test_the_script_is_marked_and_fits_into_a_url() -> None:
    from urllib.parse import quote

    assert SHELL.startswith(MARKER + "\n")
    assert PYTHON.startswith(MARKER + "\n")
    line = "&".join(
        f"command={quote(part)}"
        for part in command([target("10.244.100.100", 65535)] * 14, tries=5)
    )
    assert len(line) < 8000, "proxies cut URLs at 8 KiB"
