"""A line that wraps a failure never decides: the cause inside it does."""

from __future__ import annotations

import pytest

from triage.logs.classify import last_line, verdict

_FRAME = "\tat shop.orders.Main.main(Main.java:17) ~[orders.jar:1.0]"
_SPRING = (
    "2026-11-20 03:02:11.001  WARN 1 --- [main] ConfigServletWebServerApplicationContext : Exception"
    " encountered during context initialization - cancelling refresh attempt: org.springframework."
    "beans.factory.BeanCreationException: Error creating bean with name 'entityManagerFactory'"
    " defined in class path resource [org/springframework/HibernateJpaConfiguration.class]:"
    " Invocation of init method failed; nested exception is org.hibernate.service.spi."
    "ServiceException: Unable to create requested service [JdbcEnvironment]",
    "2026-11-20 03:02:11.010 ERROR 1 --- [main] o.s.boot.SpringApplication : Application run failed",
    "org.springframework.beans.factory.BeanCreationException: Error creating bean with name"
    " 'entityManagerFactory' defined in class path resource [HibernateJpaConfiguration.class]:"
    " Invocation of init method failed; nested exception is org.hibernate.service.spi."
    "ServiceException: Unable to create requested service [JdbcEnvironment]",
    _FRAME,
    "Caused by: org.hibernate.service.spi.ServiceException: Unable to create requested service [X]",
    _FRAME,
)


def _java(*inner: str) -> list[str]:
    return [*_SPRING, *(row for cause in inner for row in (f"Caused by: {cause}", _FRAME))]


@pytest.mark.parametrize(
    ("lines", "class_", "says"),
    [
        (
            _java("shop.StockException: shelf 7 is gone"),
            "panic",
            "shelf 7 is gone",
        ),
        (
            _java("com.alibaba.nacos.api.exception.NacosException: Client not connected"),
            "unreachable",
            "Nacos: Client not connected",
        ),
        (
            _java("java.sql.SQLException: Access denied for user 'a'@'10.0.0.1'"),
            "credentials-refused",
            "Access denied for user 'a'@'10.0.0.1'",
        ),
        (
            [
                "org.springframework.beans.factory.BeanCreationException: Error creating bean with"
                " name 'db': Factory method 'db' threw exception with message: Connection refused"
            ],
            "unreachable",
            "Connection refused",
        ),
        (
            [
                "Unhandled exception. System.TypeInitializationException: The type initializer for"
                " 'Shop.Db' threw an exception.",
                " ---> Npgsql.PostgresException: 53300: sorry, too many clients already",
                "   at Shop.Db.Open() in /src/Db.cs:line 4",
            ],
            "too-many-connections",
            "53300: sorry, too many clients already",
        ),
        (
            [
                "Traceback (most recent call last):",
                "redis.exceptions.ConnectionError: Error 111 connecting to cart-redis:6379.",
                "During handling of the above exception, another exception occurred:",
                "[2026-11-20 03:02:11 +0000] [7] [ERROR] Exception in worker process",
                "[2026-11-20 03:02:11 +0000] [1] [ERROR] Worker failed to boot.",
            ],
            "unreachable",
            "Error 111 connecting to cart-redis:6379.",
        ),
        (
            [
                "node:internal/process/promises:394",
                "      triggerUncaughtException(err, true /* fromPromise */);",
                "Error: getaddrinfo ENOTFOUND orders-db",
                "Node.js v22.11.0",
            ],
            "name-not-found",
            "getaddrinfo ENOTFOUND orders-db",
        ),
        (
            [
                "bundler: failed to load command: puma (/usr/local/bundle/bin/puma)",
                'KeyError: key not found: "DATABASE_URL"',
            ],
            "variable-missing",
            'key not found: "DATABASE_URL"',
        ),
        (
            [
                "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused",
                "Stack trace:",
                "#0 /app/db.php(3): PDO->__construct()",
                "  thrown in /app/db.php on line 3",
            ],
            "unreachable",
            "Connection refused",
        ),
    ],
    ids=["Java", "Nacos", "MySQL", "Spring 6", ".NET", "Python", "Node", "Ruby", "PHP"],
)
def test_the_innermost_cause_decides(lines: list[str], class_: str, says: str) -> None:
    found = verdict(lines)
    assert found is not None
    assert (found.class_, says in found.sentence) == (class_, True), found.sentence


def test_a_wrapper_alone_proves_no_configuration() -> None:
    found = verdict(_SPRING[:2])
    assert found is None or found.class_ == "panic"


def test_a_configuration_that_is_named_still_decides() -> None:
    found = verdict(_java("shop.ConfigException: invalid value for setting orders.timeout: abc"))
    assert found is not None
    assert (found.class_, found.proven) == ("config-invalid", True)


@pytest.mark.parametrize("ahead", ["2026-11-20T03:02:11.626904995+08:00 ", "2026-11-20T03:02:11Z "])
def test_the_time_that_a_kubelet_writes_is_no_part_of_a_line(ahead: str) -> None:
    lines = [ahead + row for row in (*_java("java.net.ConnectException: Connection refused"), "")]
    found = verdict(lines)
    assert found is not None
    assert (found.class_, found.sentence) == ("unreachable", "Connection refused")
    assert (
        last_line([ahead + "queue is gone", ahead + _FRAME, ahead.rstrip(), ahead])
        == "queue is gone"
    )


def test_the_driver_in_the_stack_says_which_server_refuses() -> None:
    stack = [
        "Caused by: java.net.ConnectException: Connection refused (Connection refused)",
        "\tat java.net.Socket.connect(Socket.java:607) ~[na:1.8.0]",
        "\tat com.mysql.cj.protocol.StandardSocketFactory.connect(StandardSocketFactory.java:153)",
        "\t... 60 common frames omitted",
    ]
    found = verdict(stack)
    assert found is not None
    assert found.sentence == "MySQL: Connection refused"
    other = verdict([*stack[:2], "unrelated", stack[2]])
    assert other is not None
    assert other.sentence == "Connection refused"


def test_the_level_and_the_logger_of_spring_are_no_part_of_the_sentence() -> None:
    found = verdict(
        ["2026-11-20 03:02:11.1 ERROR 1 --- [           main] o.s.App : it panics: panic: no"]
    )
    assert found is not None
    assert found.sentence == "it panics: panic: no"
