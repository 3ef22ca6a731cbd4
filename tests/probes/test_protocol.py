"""Scripts and their readers keep to `assets/probe-protocol.json`."""

from __future__ import annotations

import json
import re
import socket
import subprocess

import msgspec
import pytest

from probes.inference.classification import ScriptLine
from probes.questions.dns import DnsLine
from probes.questions.mtu import MtuLine
from probes.scripts import connectivity, dns, mtu
from probes.scripts.protocol import SPECIFICATION

READERS: dict[str, type[msgspec.Struct]] = {
    "connectivity": ScriptLine,
    "dns": DnsLine,
    "mtu": MtuLine,
}
SCRIPTS = {
    "connectivity": (connectivity.SHELL, connectivity.PYTHON),
    "dns": (dns.SHELL,),
    "mtu": (mtu.SHELL,),
}


@pytest.mark.parametrize("kind", SPECIFICATION.kinds)
def test_readers_take_only_fields_of_the_specification(kind: str) -> None:
    lines = SPECIFICATION.kinds[kind].lines
    fields = {name for line in lines.values() for name in line} | {"event"}
    reader = {field.encode_name for field in msgspec.structs.fields(READERS[kind])}
    assert reader <= fields, reader - fields


@pytest.mark.parametrize("kind", SPECIFICATION.kinds)
def test_each_script_announces_its_kind_and_has_the_options_defaults(kind: str) -> None:
    given = SPECIFICATION.kinds[kind]
    for script in SCRIPTS[kind]:
        assert script.splitlines()[0] == f"# stanch-probe {kind} v{SPECIFICATION.version}"
    shell = SCRIPTS[kind][0]
    for name, default in given.options.items():
        assert f"{name}=*)" in shell
        if isinstance(default, int) and default:
            variable = {"timeout": "limit"}.get(name, name)
            assert re.search(rf"\b{variable}={default}\b", shell)


def printed(command: tuple[str, ...]) -> list[dict[str, object]]:
    done = subprocess.run(list(command), capture_output=True, text=True, timeout=60, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("kind", "python"), [*((kind, False) for kind in SPECIFICATION.kinds), ("connectivity", True)]
)
def test_printed_lines_have_the_shape_of_the_specification(kind: str, python: bool) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = connectivity.target("127.0.0.1", closed.getsockname()[1])
        lines = printed(
            {
                "connectivity": connectivity.command(
                    [target], gap_ms=0, timeout_s=1, python=python
                ),
                "dns": dns.command(["127.0.0.1"], ["example.test"], gap_ms=0, timeout_s=1),
                "mtu": mtu.command([target], (100,), timeout_s=1),
            }[kind]
        )
    given = SPECIFICATION.kinds[kind]
    assert [lines[0]["event"], lines[-1]["event"]] == ["begin", "end"]
    for line in lines:
        shape = given.lines[str(line.pop("event"))]
        assert set(line) <= set(shape), set(line) - set(shape)
        for name, value in line.items():
            assert type(value) is type(shape[name]), (name, value)
        if "said" in line:
            assert line["said"] in given.said
