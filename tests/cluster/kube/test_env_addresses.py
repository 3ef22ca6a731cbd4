"""Of the values of environment variables only addresses are kept that may be those of Services."""

from __future__ import annotations

import msgspec
import pytest

from cluster.kube.env_addresses import service_addresses
from cluster.kube.objects import Deployment, Pod


@pytest.mark.parametrize(
    ("variable", "value", "kept"),
    [
        ("CATALOG_ADDR", "catalog:3550", "catalog:3550"),
        (
            "PAY_URL",
            "http://pay.shop.svc.cluster.local:8080/v1?x=1",
            "pay.shop.svc.cluster.local:8080",
        ),
        ("DB_HOST", "orders-db", "orders-db"),
        ("DB_PORT", "5432", "5432"),
        ("spring.redis.host", "redis.cache", "redis.cache"),
        ("DATABASE_URL", "postgres://shop:s3cr3t@db:5432/shop", "db:5432"),
        ("DATABASE_URL", "postgres://shop:p@ss@db:5432/shop", "db:5432"),
        ("DSN", "shop:1234@tcp(db:3306)/shop", "db:3306"),
        ("PG", "host=db port=5433 password=s3cr3t dbname=x", "db:5433"),
        (
            "BROKERS",
            "kafka-0.kafka:9092,kafka-1.kafka:9092",
            "kafka-0.kafka:9092 kafka-1.kafka:9092",
        ),
        ("JDBC", "jdbc:mysql://a:3306,b:3306/shop", "a:3306 b:3306"),
        ("CONFIG", '{"url": "x.y.svc:80"}', "x.y.svc:80"),
    ],
)
def test_addresses_are_kept(variable: str, value: str, kept: str) -> None:
    assert service_addresses(variable, value) == kept
    assert service_addresses(variable, kept) == kept


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DB_PASSWORD", "orders-db:5432"),
        ("API_TOKEN", "http://a.b.svc:80"),
        ("AUTH_HOST_KEY", "db:22"),
        ("LOGIN", "admin:1234"),
        ("X", "admin:1234@db"),
        ("X", "postgres://shop:12/34@db:5432/shop"),
        ("MODE", "production"),
        ("IMAGE", "nginx:1234"),
        ("API", "https://api.example.com/v1"),
        ("DB_HOST", "localhost"),
        ("DB_HOST", "not a name"),
        ("PORT", "eighty"),
        ("X", "2026-01-01T10:20:30Z"),
        ("X", "10.0.0.1:5432"),
    ],
)
def test_nothing_else_is_kept(variable: str, value: str) -> None:
    assert service_addresses(variable, value) == ""


def test_a_workload_keeps_addresses_and_a_pod_nothing() -> None:
    env = [
        {"name": "URL", "value": "redis://:hunter2@redis:6379"},
        {"name": "A", "value": "hunter2"},
    ]
    spec = {"containers": [{"name": "app", "env": env}]}
    workload = msgspec.convert({"spec": {"template": {"spec": spec}}}, Deployment)
    [container] = workload.spec.template.spec.containers
    assert [v.value for v in container.env] == ["redis:6379", ""]
    pod = msgspec.convert({"spec": spec}, Pod)
    for kept in (workload, pod):
        assert b"hunter2" not in msgspec.json.encode(kept)
