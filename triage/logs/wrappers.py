"""Lines that wrap a failure: they tell that something inside failed, and not what.

A wrapper never decides. What it holds does: the exception that it nests in its own line, or the
innermost cause of the stack trace below it.
"""

from __future__ import annotations

import functools
import re

_AHEAD = re.compile(
    r"^\s*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
    r"(?: std(?:out|err) [FP])?(?: |$)"
)
"""The time that a kubelet writes before each line (`--timestamps`), also with the stream's name
(CRI log format)."""
_NESTS = re.compile(
    r"; nested exception is |\bthrew exception with message: |\s--->\s(?=[A-Z]\w*\.)"
)
"""Spring and .NET print the causes of an exception in its own line."""
_INNER = re.compile(r"^\s*(?:Caused by:|--->) ")
_FRAME = re.compile(r"^\s+at |^\s*\.\.\. \d+ |^\s+in |^\s+File \"|^\s*$|^\S+\.go:\d+|^#\d+ ")
_LANGUAGES = (
    # Java and its frameworks
    r"Error creating bean with name|Application run failed|Error starting ApplicationContext",
    r"Exception encountered during context initialization",
    r"Failed to (?:start|instantiate) (?:bean|\[)",
    r"Failed to initialize JPA EntityManagerFactory|Invocation of init method failed",
    r"Unable to create requested service|Unable to start (?:web server|embedded)",
    r"Exception during pool initialization|Context initialization failed",
    r"(?:InvocationTarget|Execution|Completion|UndeclaredThrowable|UnsatisfiedDependency"
    r"|BeanCreation|BeanInstantiation|ApplicationContext|Servlet)Exception(?:: null)?$",
    r"ExceptionInInitializerError(?:: null)?$",
    # Python
    r"^Traceback \(most recent call last\)|^During handling of the above exception",
    r"^The above exception was the direct cause|Exception in worker process$",
    r"Worker failed to boot|App failed to load|Exception in ASGI application$",
    # Node
    r"triggerUncaughtException|UnhandledPromiseRejection(?:Warning)?\b.{0,40}$|ELIFECYCLE",
    r"^Node\.js v\d|^Command failed with exit code \d+\.?$|Lifecycle script .{0,40} failed",
    # Go
    r"^goroutine \d+ \[|^exit status \d+$|^\[signal ",
    # .NET
    r"One or more errors occurred\.(?: \(.{0,3}\))?$|Hosting failed to start$",
    r"has been thrown by the target of an invocation\.?$|^Unhandled exception\.?$",
    r"The type initializer for '[^']*' threw an exception\.?$",
    # Ruby
    r"^bundler: failed to load command|^rake aborted!$|^Tasks: TOP =>",
    # PHP
    r"^Stack trace:$|^\s*thrown in \S+ on line \d+$",
)
_SERVERS = (
    ("MySQL", r"com\.mysql|org\.mariadb|mysqldb|pymysql|mysql2|go-sql-driver|mysqli"),
    ("PostgreSQL", r"org\.postgresql|psycopg|asyncpg|\bpgx|lib/pq|node_modules/pg/|npgsql"),
    ("MongoDB", r"com\.mongodb|pymongo|mongo-driver|node_modules/mongo|mongoose"),
    ("Redis", r"lettuce|jedis|redis/|redis\.clients|go-redis|ioredis|stackexchange\.redis"),
    ("RabbitMQ", r"com\.rabbitmq|amqp|\bpika\b|kombu"),
    ("Kafka", r"apache\.kafka|kafkajs|sarama|librdkafka|confluent_kafka"),
    ("Elasticsearch", r"elasticsearch|opensearch"),
    ("Cassandra", r"datastax|gocql|cassandra"),
    ("ZooKeeper", r"zookeeper|\bcurator\b"),
    ("Nacos", r"\bnacos\b"),
    ("SQL Server", r"com\.microsoft\.sqlserver|data\.sqlclient|pyodbc|tedious"),
    ("Oracle", r"oracle\.jdbc|oracledb|cx_oracle"),
)
_REACH = 24
"""Lines of a stack trace that are searched for the driver."""


@functools.cache
def _wrapper() -> re.Pattern[str]:
    return re.compile("|".join(_LANGUAGES))


@functools.cache
def _servers() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(text, re.IGNORECASE)) for name, text in _SERVERS)


def bare(line: str) -> str:
    """A line without the time that stands before each line of a log."""
    return _AHEAD.sub("", line, count=1)


def is_inner(line: str) -> bool:
    """Whether a line is the cause inside an exception of Java or .NET."""
    return _INNER.match(line) is not None


def innermost(text: str) -> str:
    """The last exception that a line nests, or the line."""
    return _NESTS.split(text)[-1]


def wraps(text: str) -> bool:
    """Whether a message tells only that something inside it failed."""
    return _wrapper().search(text) is not None


def server(lines: tuple[str, ...]) -> str:
    """The kind of server whose driver is in the stack of the first of these lines, "" for none."""
    stack = [lines[0]] if lines else []
    for line in lines[1:_REACH]:
        if not _FRAME.match(line):
            break
        stack.append(line)
    text = "\n".join(stack)
    return next((name for name, pattern in _servers() if pattern.search(text)), "")
