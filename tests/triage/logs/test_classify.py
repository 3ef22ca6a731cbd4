"""What lines of a log mean: on the corpus, and for each layout of a line."""

from __future__ import annotations

import pytest

from tests.triage.logs.corpus import cases, told, wrong
from triage.logs.address import Address, address
from triage.logs.classify import LONG, last_line, sentence, verdict
from triage.logs.log_line import Level, message
from triage.logs.sentences import CLASSES, patterns


def test_the_corpus_is_broad() -> None:
    classes = {case.class_ for case in cases()}
    assert classes - {"none"} == set(CLASSES) == {name for name, _ in patterns()}
    assert len(cases()) >= 200


def test_all_sentences_tuned_on_have_their_class_and_address() -> None:
    tuned = [case for case in cases() if not case.held_out]
    assert list(wrong(tuned)) == []
    assert [c.program for c in tuned if c.address and told(c)[1] != c.address] == []


def test_sentences_held_out_have_their_class() -> None:
    held = [case for case in cases() if case.held_out]
    assert len(list(wrong(held))) <= len(held) * 0.05


def test_what_decides_stands_before_the_crash_that_follows_it() -> None:
    lines = (
        "level=info msg=starting",
        'pq: password authentication failed for user "orders"',
        "panic: cannot go on",
        "",
        "goroutine 1 [running]:",
        "exit status 2",
    )
    found = verdict(lines)
    assert found is not None
    assert (found.class_, found.line) == ("credentials-refused", 1)


def test_the_latest_of_two_causes_counts() -> None:
    lines = (
        "WARN dial tcp 10.0.0.1:5432: connect: connection refused, trying again",
        "ERROR open /data/state.db: permission denied",
    )
    found = verdict(lines)
    assert found is not None
    assert found.class_ == "permission-denied"


def test_nothing_is_claimed_where_no_sentence_decides() -> None:
    assert verdict(["listening on :8080", "done"]) is None
    assert verdict([]) is None


@pytest.mark.parametrize(
    ("line", "class_"),
    [
        ("PSQLException: FATAL: Passwort-Authentifizierung für »a« fehlgeschlagen", "credentials"),
        ("connect: Connexion refusée", "unreachable"),
        ("open /data/x: Permiso denegado", "permission-denied"),
        ("write /data/x: Auf dem Gerät ist kein Speicherplatz mehr verfügbar", "disk-full"),
        ("/etc/app.yml: Нет такого файла или каталога", "file-missing"),
        ("db: 名前またはサービスが不明です", "name-not-found"),
    ],
)
def test_sentences_of_other_languages_have_their_class(line: str, class_: str) -> None:
    found = verdict([line])
    assert found is not None
    assert found.class_.startswith(class_)


def test_what_a_program_calls_fatal_decides_in_any_words() -> None:
    found = verdict(["FATAL: der Mandant ist gesperrt", "INFO bye"])
    assert found is not None
    assert (found.class_, found.sentence) == ("panic", "FATAL: der Mandant ist gesperrt")
    assert verdict(["WARN der Mandant ist gesperrt"]) is None


def test_a_field_of_a_printed_object_is_no_sentence() -> None:
    lines = ("MongoServerError: Authentication failed.", "  codeName: 'AuthenticationFailed'")
    found = verdict(lines)
    assert found is not None
    assert found.line == 0


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        ('{"level":"error","msg":"boom","err":"why"}', Level.ERROR, "boom: why"),
        (
            'time="2026-11-20T03:02:11Z" level=warning msg="slow \\"db\\""',
            Level.WARNING,
            'slow "db"',
        ),
        ("E1120 03:02:11.000000       1 main.go:93] broken", Level.ERROR, "broken"),
        ("2026-11-20 03:02:11.040 UTC [71] FATAL:  no role", Level.FATAL, "FATAL:  no role"),
        ("2026/11/20 03:02:11 [emerg] 1#1: bind() failed", Level.FATAL, "bind() failed"),
        ("plain words", Level.UNKNOWN, "plain words"),
        ('{"not json', Level.UNKNOWN, '{"not json'),
    ],
)
def test_level_and_message_of_a_line(line: str, level: Level, text: str) -> None:
    found = message(line)
    assert found.level is level
    assert text in found.text


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("dial tcp 10.96.14.7:5432: connect: connection refused", "10.96.14.7", 5432),
        ("lookup db.shop on 10.96.0.10:53: no such host", "db.shop", 0),
        ("cannot connect to amqp://u:p@rabbit.mq.svc:5672/v", "rabbit.mq.svc", 5672),
        ("connect ECONNREFUSED [fd00::a]:6379", "fd00::a", 6379),
        ("ping http://orders:8080/health failed", "orders", 8080),
    ],
)
def test_the_address_that_a_sentence_names(text: str, host: str, port: int) -> None:
    assert address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    ["main.go:93 failed", "error: 5000", "listen on 0.0.0.0:80", "took 12:30", "at 03:02:11"],
)
def test_what_looks_like_an_address_and_is_none(text: str) -> None:
    assert address(text) is None


def test_the_last_line_is_no_note_of_a_program_and_no_access_log() -> None:
    lines = [
        "giving up",
        "level=info msg=bye",
        '10.1.1.1 - - [20/Nov/2026:03:02:11 +0000] "GET / HTTP/1.1" 200 2',
        "",
    ]
    assert last_line(lines) == "giving up"
    assert last_line(lines[1:]) == ""


def test_a_line_of_redis_gives_its_message() -> None:
    one = message("1:M 29 Nov 2026 10:00:00.120 # Bad file format reading the append only file")
    assert (one.level, one.text) == (
        Level.WARNING,
        "Bad file format reading the append only file",
    )


def test_a_sentence_begins_behind_the_layers_of_a_runtime() -> None:
    said = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        "runc create failed: unable to start container process: error during container init: "
        'exec: "python3.11": executable file not found in $PATH'
    )
    assert sentence(said) == 'exec: "python3.11": executable file not found in $PATH'


def test_a_sentence_is_short_and_holds_no_password() -> None:
    long = "x" * 300 + " connection refused " + "y" * 300
    assert len(sentence(long)) <= LONG + 2
    assert "connection refused" in sentence(long)
    assert "hunter2" not in sentence("cannot reach postgres://shop:hunter2@db:5432/shop")
    assert "hunter2" not in sentence("bad option password=hunter2 in dsn")


def test_neither_a_frame_of_a_stack_nor_a_hint_to_the_help_is_a_last_line() -> None:
    """A frame without its indent: logs are read without leading tabs."""
    said = "it cannot go on"
    assert last_line([said, "at shop.orders.Main.main(Main.scala)"]) == said
    assert last_line([said, "Try 'tool --help' for more information."]) == said


@pytest.mark.parametrize(
    "after",
    [
        "pg_dump: detail: server version: 17.2; pg_dump version: 15.10",
        "DETAIL:  Key (id)=(7) already exists.",
        "HINT:  Terminate any old server processes still running.",
        "STATEMENT:  ALTER TABLE orders ADD COLUMN note text",
        "pg_restore: hint: Try another format.",
    ],
)
def test_what_explains_an_error_is_not_the_last_line(after: str) -> None:
    said = "pg_dump: error: aborting because of server version mismatch"
    assert last_line([said, after]) == said
    assert last_line(["cannot go on: detail: none", ""]) == "cannot go on: detail: none"
