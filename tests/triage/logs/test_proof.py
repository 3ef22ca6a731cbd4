"""Which sentences prove their class, and which only say that something failed."""

from __future__ import annotations

import pytest

from triage.logs.classify import verdict


@pytest.mark.parametrize(
    ("proven", "text"),
    [
        (True, "yaml: line 4: did not find expected key"),
        (True, "Error: unknown flag: --log.levell"),
        (True, "invalid value for LOG_LEVEL: verbosee"),
        (True, 'Failed to load config: json: cannot unmarshal string into field "port"'),
        (False, "json: cannot unmarshal string into Go struct field Order.qty of type int"),
        (False, "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        (False, "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON"),
        (False, 'ERROR:  syntax error at or near "SELCT" at character 1'),
        (False, "pydantic_core.ValidationError: 1 validation error for Order"),
        (True, "dial tcp 10.96.3.4:5432: connect: connection refused"),
        (True, 'Post "https://api.example/v1": context deadline exceeded'),
        (False, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
        (False, "timed out waiting for the condition"),
        (True, "x509: certificate signed by unknown authority"),
        (False, "http: server gave HTTP response to HTTPS client"),
        (False, "ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
        (True, "FATAL: sorry, too many clients already"),
        (False, "HikariPool-1 - Connection is not available, request timed out after 30000ms"),
        (True, "OSError: [Errno 30] Read-only file system: '/app/cache'"),
        (False, "ReadOnlyError: You can't write against a read only replica."),
        (True, "FileNotFoundError: [Errno 2] No such file or directory: '/etc/app/config.yaml'"),
        (True, "Error: Cannot find module '/app/config/production.json'"),
        (False, "Error: Cannot find module '/app/dist/server.js'"),
        (False, "ModuleNotFoundError: No module named 'uvloop'"),
        (False, "Error: Could not find or load main class com.shop.orders.Main"),
        (False, "Error: Unable to access jarfile /opt/app/app.jar"),
        (False, "cannot load such file -- puma (LoadError)"),
        (
            False,
            "PHP Fatal error:  Uncaught Error: Failed opening required '/app/vendor/autoload.php'",
        ),
        (
            False,
            "error while loading shared libraries: libssl.so.1.1: cannot open shared object file",
        ),
        (True, "panic: runtime error: index out of range [3] with length 3"),
    ],
)
def test_a_sentence_proves_its_class_where_it_names_what_the_class_is_about(
    proven: bool, text: str
) -> None:
    said = verdict([text])
    assert said is not None
    assert said.proven is proven


def test_a_parser_names_the_file_on_a_line_of_its_own() -> None:
    error = "scanner error: mapping values are not allowed here"
    beside = verdict([error, '  in "/etc/app/settings.yml", line 3, column 9'])
    alone = verdict([error, "exit status 1"])
    assert beside is not None
    assert alone is not None
    assert (beside.proven, alone.proven) == (True, False)
