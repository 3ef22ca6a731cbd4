"""The `stanch` command as scripts and people use it: documents, exit codes, and one clear sentence
for bad input."""

from __future__ import annotations

import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cli import exits
from cli.connection import on_terminal
from tests.incident.drill import served

Run = subprocess.CompletedProcess[str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def stanch(
    home: Path,
    *arguments: str,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    limit: float = 90.0,
) -> Run:
    """Run the command without a terminal in an environment of its own."""
    clean = {
        key: value
        for key, value in os.environ.items()
        if key not in ("KUBECONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "STANCH_STATE")
    }
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env={**clean, "HOME": str(home), "TERM": "dumb", **(environment or {})},
    )


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served("nodes-notready-system-oom", tmp_path_factory.mktemp("drill")) as (_, path):
        yield path


def assert_one_sentence(ran: Run, *words: str) -> None:
    assert "Traceback" not in ran.stderr + ran.stdout
    said = ran.stderr + ran.stdout
    for word in words:
        assert word in said, said


def test_triage_says_what_is_critical_as_one_document(home: Path, kubeconfig: Path) -> None:
    ran = stanch(home, "triage", "-o", "json", "--kubeconfig", str(kubeconfig))
    document = json.loads(ran.stdout)
    assert ran.returncode == exits.CRITICAL
    assert document["schema"] == "stanch.triage/1"
    assert document["complete"] is True
    assert document["runbooks"][0]["id"] == "nodes-notready-system-oom"
    assert document["symptoms"][0]["objects"][0].keys() == {"kind", "namespace", "name"}
    assert document["symptoms"][0]["since"].endswith("Z")


@pytest.mark.parametrize("whole", [(), ("--all",)])
def test_the_triage_says_what_to_do_first_as_the_first_screen_does(
    home: Path, kubeconfig: Path, whole: tuple[str, ...]
) -> None:
    """Mitigation comes before diagnosis on both faces."""
    ran = stanch(home, "triage", *whole, "--kubeconfig", str(kubeconfig))
    title, _, reasons = ran.stdout.partition("── why nodes-notready-system-oom")
    assert "CRIT" in title
    assert "\n      stop the bleeding: " in title
    assert "\n      do not: " in title
    assert " since " in reasons


def test_without_a_command_and_without_a_terminal_the_triage_is_printed(
    home: Path, kubeconfig: Path
) -> None:
    ran = stanch(home, "--kubeconfig", str(kubeconfig))
    assert "CRIT" in ran.stdout
    assert_one_sentence(ran, "no terminal for the screens")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("redirected", ["stdin", "stdout", "stderr", "", "dumb"])
def test_screens_need_three_ends_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, redirected: str
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO() if name == redirected else Terminal())
    monkeypatch.setenv("TERM", "dumb" if redirected == "dumb" else "xterm")
    assert on_terminal() is (redirected == "")


def test_a_drill_without_a_terminal_prints_its_triage_and_ends_as_triage_does(home: Path) -> None:
    ran = stanch(home, "drill", "secrets-emptied-by-controller")
    assert "paged    A roll-out does not start: An engineer rolled out" in ran.stdout
    assert ran.returncode == exits.CRITICAL, ran.stderr
    assert "secrets-emptied-by-controller" in ran.stdout


def test_drills_are_listed(home: Path) -> None:
    ran = stanch(home, "drill", "--list", "-o", "json")
    assert stanch(home, "drill", "list", "-o", "json").stdout == ran.stdout
    ids = [row["id"] for row in json.loads(ran.stdout)["drills"]]
    assert "network-policy-cni-version-skew" in ids
    assert_one_sentence(
        stanch(home, "drill", "network-policy"), "no drill", "network-policy-cni-version-skew"
    )


def test_words_are_matched_line_by_line_without_a_cluster(home: Path) -> None:
    ran = stanch(
        home,
        "match",
        "--offline",
        "--lines",
        "-o",
        "json",
        "-",
        text="secrets are empty after the controller restarted\nmy cat is ill\n",
    )
    first, second = (json.loads(line) for line in ran.stdout.splitlines())
    assert first["runbooks"][0]["id"] == "secrets-emptied-by-controller"
    assert first["confident"] is True
    assert second["confident"] is False
    assert ran.returncode == exits.ANSWERED


def test_words_are_matched_when_no_cluster_is_configured(home: Path) -> None:
    ran = stanch(home, "match", "-o", "json", "pvc pending")
    assert json.loads(ran.stdout)["runbooks"][0]["id"] == "claim-pending"
    assert ran.returncode == exits.PARTIAL


def test_words_are_matched_with_the_live_evidence(home: Path, kubeconfig: Path) -> None:
    ran = stanch(
        home,
        "match",
        "-o",
        "json",
        "--kubeconfig",
        str(kubeconfig),
        "nodes go down one after another",
    )
    document = json.loads(ran.stdout)
    assert document["runbooks"][0]["id"] == "nodes-notready-system-oom"
    assert len(document["runbooks"][0]["for"]) > 1


def test_a_note_needs_no_cluster_and_comes_out_in_every_export(home: Path) -> None:
    assert stanch(home, "timeline", "note", "-5m users report 502s").returncode == exits.ANSWERED
    shown = json.loads(stanch(home, "timeline", "show", "-o", "json").stdout)
    assert [entry["text"] for entry in shown["entries"] if entry["kind"] == "note"] == [
        "users report 502s"
    ]
    for form in ("jsonl", "json", "csv", "html"):
        assert "users report 502s" in stanch(home, "timeline", "export", "--format", form).stdout
    draft = Path(stanch(home, "timeline", "export").stdout.strip())
    assert "users report 502s" in draft.read_text()
    draft.write_text(draft.read_text().replace("## Impact", "## Impact\n\nAll of Europe."))
    assert stanch(home, "timeline", "export").returncode == exits.ANSWERED
    assert "All of Europe." in draft.read_text()
    assert stanch(home, "timeline", "verify").returncode == exits.ANSWERED


def test_a_record_with_a_flipped_bit_is_told_by_verify_and_by_every_export(home: Path) -> None:
    stanch(home, "timeline", "note", "the users report 502s")
    record = next(home.rglob("*.db"))
    with sqlite3.connect(record) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(record.read_bytes())
    content[content.index(b"the users report 502s")] ^= 1
    record.write_bytes(content)
    verified = stanch(home, "timeline", "verify")
    assert verified.returncode == exits.CRITICAL
    assert "NOT WHOLE" in verified.stdout
    for form in ("markdown", "jsonl", "csv"):
        ran = stanch(home, "timeline", "export", "--format", form)
        assert ran.returncode == exits.PARTIAL
        assert "was changed after it was written" in ran.stderr
        assert ran.stdout


def test_an_export_is_imported_with_the_same_chain(home: Path, tmp_path: Path) -> None:
    stanch(home, "timeline", "note", "seen")
    exported = tmp_path / "export.jsonl"
    stanch(home, "timeline", "export", "--format", "jsonl", "--to", str(exported))
    copy = tmp_path / "copy.db"
    ran = stanch(home, "timeline", "import", str(exported), "--to", str(copy))
    assert ran.returncode == exits.ANSWERED, ran.stderr
    heads = [
        json.loads(stanch(home, "timeline", "show", name, "-o", "json").stdout)["head"]
        for name in ("", str(copy))
    ]
    assert heads[0] == heads[1]


def test_a_note_for_a_time_that_cannot_be_is_refused_and_nothing_is_written(home: Path) -> None:
    ran = stanch(home, "timeline", "note", "@25:99 nonsense")
    assert ran.returncode == exits.USAGE
    assert_one_sentence(ran, "25:99")
    assert not list(home.rglob("*.db"))


# ---- bad input


def write(path: Path, server: str, user: str = "{token: t}", ca: str = "") -> Path:
    path.write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: here\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'{ca}}}}}]\n"
        f"users: [{{name: u, user: {user}}}]\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}]\n"
    )
    return path


def test_no_kubeconfig(home: Path) -> None:
    ran = stanch(home, "triage")
    assert ran.returncode == exits.UNREACHED
    assert_one_sentence(ran, "kubeconfig")


def test_a_broken_kubeconfig(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("clusters: [unclosed")
    ran = stanch(home, "triage", "--kubeconfig", str(path))
    assert ran.returncode == exits.UNREACHED
    assert_one_sentence(ran, str(path))


def test_an_unknown_context(home: Path, kubeconfig: Path) -> None:
    ran = stanch(home, "triage", "--kubeconfig", str(kubeconfig), "--context", "nowhere")
    assert ran.returncode == exits.UNREACHED
    assert_one_sentence(ran, "nowhere")


def test_a_server_that_is_not_there(home: Path, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        path = write(tmp_path / "dead", f"http://127.0.0.1:{unused.getsockname()[1]}")
    ran = stanch(home, "triage", "-o", "json", "--kubeconfig", str(path))
    document = json.loads(ran.stdout)
    assert ran.returncode == exits.UNREACHED
    assert document["complete"] is False
    assert (
        next(hop["name"] for hop in document["api"]["hops"] if hop["ok"] is False).lower() == "tcp"
    )
    assert document["runbooks"][0]["id"] == "ingress-routes-lost-api-server-down"
    assert document["last_seen"] == []


def test_a_server_that_is_lost_is_shown_as_on_the_screens(
    home: Path, tmp_path: Path, kubeconfig: Path
) -> None:
    """The runbook of a lost API server, and the last picture of the context with its age."""
    ran = stanch(home, "triage", "--incident", "new", "--kubeconfig", str(kubeconfig))
    assert ran.returncode == exits.CRITICAL
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        path = write(tmp_path / "dead", f"http://127.0.0.1:{unused.getsockname()[1]}")
    path.write_text(path.read_text().replace("here", "drill"))
    ran = stanch(home, "triage", "--kubeconfig", str(path))
    assert ran.returncode == exits.UNREACHED
    assert "the API server does not answer" in ran.stdout
    assert "ingress-routes-lost-api-server-down" in ran.stdout
    assert "Last seen, from the record:" in ran.stdout


def test_an_answer_that_cannot_be_recorded_says_so(
    home: Path, tmp_path: Path, kubeconfig: Path
) -> None:
    (tmp_path / "file").touch()
    state = {"STANCH_STATE": str(tmp_path / "file" / "state")}
    arguments = ("triage", "--incident", "new", "--kubeconfig", str(kubeconfig), "-o", "json")
    ran = stanch(home, *arguments, environment=state)
    assert ran.returncode == exits.CRITICAL
    assert json.loads(ran.stdout)["symptoms"]
    assert "this answer is not recorded: no incident could be opened" in ran.stderr


def test_a_failing_exec_plugin(home: Path, tmp_path: Path, kubeconfig: Path) -> None:
    script = tmp_path / "login"
    script.write_text("#!/bin/sh\necho 'session expired, run: corp login' >&2\nexit 3\n")
    script.chmod(0o755)
    user = (
        f"{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{script}', "
        f"interactiveMode: Never}}}}"
    )
    server = next(
        line.split("server:")[1].strip(" '\"}")
        for line in kubeconfig.read_text().splitlines()
        if "server:" in line
    )
    ran = stanch(
        home,
        "triage",
        "--kubeconfig",
        str(write(tmp_path / "plugin", server.split("'")[0].split('"')[0].split(",")[0], user)),
    )
    assert ran.returncode in (exits.UNREACHED, exits.PARTIAL)
    assert_one_sentence(ran, "login")


def test_a_runbook_folder_that_does_not_exist(home: Path) -> None:
    ran = stanch(home, "match", "--offline", "--runbooks", "/nowhere/at/all", "x")
    assert_one_sentence(ran, "/nowhere/at/all")


def test_an_incident_that_does_not_exist(home: Path) -> None:
    ran = stanch(home, "timeline", "show", "1999-01-01-z")
    assert ran.returncode == exits.USAGE
    assert_one_sentence(ran, "1999-01-01-z")


def test_a_probe_that_creates_something_does_not_run_without_a_terminal_or_yes(
    home: Path, kubeconfig: Path
) -> None:
    ran = stanch(
        home,
        "probe",
        "connectivity",
        "--from",
        "nginx",
        "--to",
        "marketplace",
        "--kubeconfig",
        str(kubeconfig),
    )
    assert ran.returncode == exits.USAGE
    assert_one_sentence(ran, "--yes")


def test_wrong_use_is_said_by_the_grammar(home: Path) -> None:
    assert stanch(home, "triage", "--nonsense").returncode == exits.USAGE
    assert stanch(home, "probe", "no-such-probe").returncode == exits.USAGE


def test_an_answer_that_finds_no_space_is_said(home: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "cli.main", "drill", "--list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            env={**os.environ, "HOME": str(home)},
        )
    assert ran.returncode == exits.PARTIAL
    assert (
        ran.stderr
        == "stanch: the answer could not be written, there is no space left on the device; write it somewhere else\n"
    )


def test_a_locale_without_utf8_gets_ascii_and_documents_stay_true(home: Path) -> None:
    plain = {"PYTHONIOENCODING": "ascii"}
    shown = stanch(home, "runbooks", "show", "dns-latency-ndots", environment=plain)
    assert (shown.returncode, shown.stderr) == (exits.ANSWERED, "")
    assert shown.stdout.isascii()
    said = stanch(home, "match", "--offline", "-o", "json", "“web” … 東京", environment=plain)
    assert said.stdout.isascii()
    assert json.loads(said.stdout)["text"] == "“web” … 東京"


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m cli.main drill --list | head -n 0; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "HOME": str(home)},
    )
    assert (ran.returncode, ran.stderr) == (exits.ANSWERED, "")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, cli.main, cli.arguments; cli.arguments.parser(); "
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    for name in (
        "textual",
        "kubernetes",
        "httpx",
        "sqlite_utils",
        "rapidfuzz",
        "cel",
        "yaml",
        "aiohttp",
    ):
        assert f"'{name}'" not in loaded


def test_an_answer_without_a_record_imports_neither_typed_models_nor_sqlite(
    kubeconfig: Path, home: Path
) -> None:
    code = (
        "import sys\nfrom cli.main import main\n"
        f"main(['triage', '--kubeconfig', {str(kubeconfig)!r}])\n"
        "print([name for name in sys.modules if "
        "name.startswith(('kubernetes.client.models.', 'sqlite'))][:3], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
        env={**os.environ, "HOME": str(home)},
    )
    assert ran.stderr.strip().splitlines()[-1] == "[]"


def test_a_namespace_that_does_not_exist_is_told(home: Path, kubeconfig: Path) -> None:
    given = ("--kubeconfig", str(kubeconfig), "-n", "nosuch")
    ran = stanch(home, "triage", *given, "-o", "json")
    document = json.loads(ran.stdout)
    assert ran.returncode != exits.ANSWERED
    assert document["complete"] is False
    assert document["unavailable"][0]["what"] == "namespace nosuch"
    assert "namespace nosuch" in stanch(home, "triage", *given).stdout


def test_the_doctor_covers_actions_and_optional_sources(home: Path, kubeconfig: Path) -> None:
    ran = stanch(home, "doctor", "--kubeconfig", str(kubeconfig))
    rights = ("delete configmaps", "patch pods/ephemeralcontainers")
    for word in (
        *rights,
        "action: patch nodes",
        "action: create pods/eviction",
        "optional: usage by",
    ):
        assert word in ran.stdout
    assert len(ran.stdout.splitlines()) < 40, "what is alike shares a line"


def test_no_option_is_abbreviated(home: Path) -> None:
    for words in (("triage", "--wai", "1"), ("--contex", "x"), ("act", "list", "--pla")):
        assert stanch(home, *words).returncode == exits.USAGE


def test_notes_leave_nothing_but_notes(home: Path) -> None:
    for word in ("one", "two"):
        assert stanch(home, "timeline", "note", word).returncode == exits.ANSWERED
    shown = json.loads(stanch(home, "timeline", "show", "-o", "json").stdout)
    assert [each["kind"] for each in shown["entries"]] == ["incident-opened", "note", "note"]


def test_a_record_is_filtered_copied_and_a_text_is_shown_as_it_would_be_kept(
    home: Path, tmp_path: Path
) -> None:
    for word in ("the shop is slow", "hypothesis: the kubelet leaks"):
        stanch(home, "timeline", "note", word)
    shown = stanch(home, "timeline", "show", "--filter", "kind:hypothesis", "-o", "json")
    assert [each["text"] for each in json.loads(shown.stdout)["entries"]] == ["the kubelet leaks"]
    copy = tmp_path / "copy.db"
    assert stanch(home, "timeline", "copy", "--to", str(copy)).returncode == exits.ANSWERED
    assert "the kubelet leaks" in stanch(home, "timeline", "show", str(copy)).stdout
    assert stanch(home, "timeline", "copy", "--to", str(copy)).returncode == exits.USAGE
    kept = stanch(home, "timeline", "redact", "the password was hunter22", "-o", "json")
    document = json.loads(kept.stdout)
    assert "hunter22" not in document["text"]
    assert document["redactions"]
