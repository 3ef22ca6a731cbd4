"""What a check is given, apart from the cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from cluster.errors import ClusterError, from_response
from cluster.kube.objects import Deployment, DeploymentSpec, LabelSelector, ObjectMeta
from cluster.live.store import Store
from incident.walkthrough.check_inputs import LOG_PODS, Checks, readyz_checks
from runbooks.check import CheckOutcome, Result
from runbooks.model import CheckSource, Query

if TYPE_CHECKING:
    from cluster.api.transport import Api

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)

LINES = "[+]ping ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n"


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", " "), f"HTTP 500 of /readyz: {LINES}"])
def test_the_checks_of_a_failing_readyz_are_read_also_from_one_line(text: str) -> None:
    found = {check["name"]: check["ok"] for check in readyz_checks(text)}
    assert found == {"ping": True, "informer-sync": False}
    failing = next(check for check in readyz_checks(text) if not check["ok"])
    assert failing["reason"].startswith("failed: reason withheld")


def test_an_answer_without_checks_has_none() -> None:
    assert readyz_checks("no answer from 10.0.0.1:6443 within 3 s") == []


class Answering:
    """An API that answers each GET with the same document, and keeps the paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get_json(self, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        self.asked.append(path)
        return {"node": {"nodeName": "n1"}}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/api/v1/nodes/n1/proxy/stats/summary", True),
        ("/api/v1/namespaces/logging/pods/fluent-bit-1:2020/proxy/api/v1/metrics", True),
        ("/api/v1/namespaces/shop/secrets/db", False),
        ("/api/v1/nodes/n1/proxy/../../../namespaces/shop/secrets/db", False),
        ("/api/v1/nodes/n1/proxy/%2e%2e/secrets", False),
    ],
)
async def test_a_document_is_read_through_a_proxy_alone(path: str, read: bool) -> None:
    """No page reads a Secret in this way."""
    api = Answering()
    checks = Checks(cast("Api", api), Store(), lambda: NOW, lambda _: None, 5.0)
    query = Query(CheckSource.DOCUMENT, path=path, expression="objects.size() == 1")
    outcome = await checks.run(query, {})
    assert (outcome.result is Result.PASS, bool(api.asked)) == (read, read), outcome


class Metering:
    """Answers each GET of metrics with the next of `answers`, or raises it."""

    def __init__(self, *answers: dict[str, Any] | ClusterError) -> None:
        self.answers = list(answers)

    async def get_json(self, *_: Any, **__: Any) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer


def usage(memory: str, cpu: str = "250m") -> dict[str, Any]:
    container = {"name": "app", "usage": {"cpu": cpu, "memory": memory}}
    meta = {"namespace": "shop", "name": "cart-0"}
    return {"kind": "PodMetricsList", "items": [{"metadata": meta, "containers": [container]}]}


def metrics_of(name: str, interval: float = 0.0, *, each: str = "true") -> Query:
    return Query(
        CheckSource.METRICS,
        path="/apis/metrics.k8s.io/v1beta1/pods",
        names=(name,),
        interval=interval,
        each=each,
    )


@pytest.mark.parametrize(
    ("query", "answers", "result"),
    [
        (metrics_of("pod_cpu_cores", each="self.value < 2.0"), [usage("1Gi")], Result.PASS),
        (metrics_of("pod_cpu_cores", each="self.value < 0.2"), [usage("1Gi")], Result.FAIL),
        (
            metrics_of("pod_memory_bytes", 0.001, each="self.delta < 50.0"),
            [usage("1Gi"), usage("2Gi")],
            Result.FAIL,
        ),
        (
            metrics_of("pod_memory_bytes", 0.001, each="self.delta < 50.0"),
            [usage("2Gi"), usage("1Gi")],
            Result.PASS,
        ),
    ],
)
async def test_usage_of_pods_is_read_from_the_metrics_api(
    query: Query, answers: list[dict[str, Any]], result: Result
) -> None:
    """metrics.k8s.io answers with JSON; a gauge that falls did not grow."""
    api = cast("Api", Metering(*answers))
    outcome = await Checks(api, Store(), lambda: NOW, lambda _: None, 5.0).run(query, {})
    assert outcome.result is result, outcome


NOT_FOUND, DOWN = from_response(404, {}, b"", "metrics"), from_response(503, {}, b"no", "metrics")


@pytest.mark.parametrize(
    ("query", "error", "why"),
    [
        (
            metrics_of("pod_cpu_cores"),
            NOT_FOUND,
            "metrics are not served here (no metrics-server)",
        ),
        (
            metrics_of("pod_cpu_cores"),
            DOWN,
            "metrics-server does not answer (HTTP 503: no)",
        ),
        (
            Query(CheckSource.OBJECTS, kind="HTTPRoute", each="true"),
            NOT_FOUND,
            "this cluster does not serve httproutes (gateway.networking.k8s.io/v1)",
        ),
    ],
)
async def test_the_reason_of_a_check_names_what_is_not_served(
    query: Query, error: ClusterError, why: str
) -> None:
    api = cast("Api", Metering(error))
    outcome = await Checks(api, Store(), lambda: NOW, lambda _: None, 5.0).run(query, {})
    assert (outcome.result, outcome.why) == (Result.UNKNOWN, why)


class Logging:
    """Two pods of one Deployment and one of another; each log is one line."""

    def __init__(self) -> None:
        self.selectors: list[str] = []

    async def get_json(self, path: str, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.selectors.append(str(params.get("labelSelector", "")))
        meta = {"namespace": "ops", "name": "writer-1"}
        return {"items": [{"metadata": meta, "spec": {"containers": [{"name": "app"}]}}]}

    async def get_text(self, *_: Any, **__: Any) -> tuple[str, bool]:
        return "HTTP 503 of the source", False


async def test_the_log_of_a_workload_is_that_of_its_pods() -> None:
    """As `kubectl logs deployment/writer` reads it."""
    store, api = Store(), Logging()
    selector = LabelSelector(match_labels={"app": "writer"})
    meta = ObjectMeta(namespace="ops", name="writer")
    row = Deployment(metadata=meta, spec=DeploymentSpec(selector=selector))
    store.apply("Deployment", [row])
    checks = Checks(cast("Api", api), store, lambda: NOW, lambda _: None, 5.0)

    async def asked(name: str) -> CheckOutcome:
        each = '!self.lines.exists(l, l.contains("503"))'
        query = Query(CheckSource.LOGS, namespace="ops", name=name, each=each)
        return await checks.run(query, {})

    assert (await asked("deployment/writer")).result is Result.FAIL
    assert api.selectors == ["app=writer"]
    gone = await asked("deployment/other")
    assert gone.why == "deployment/other in namespace ops is not known"


class ManyLogs(Logging):
    async def get_json(self, path: str, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        pods = range(LOG_PODS + 1)
        spec = {"containers": [{"name": "app"}]}
        meta = {"namespace": "ops"}
        return {"items": [{"metadata": {**meta, "name": f"w-{n}"}, "spec": spec} for n in pods]}


@pytest.mark.parametrize(("word", "result"), [("503", Result.FAIL), ("504", Result.UNKNOWN)])
async def test_logs_that_were_not_all_read_give_no_pass(word: str, result: Result) -> None:
    checks = Checks(cast("Api", ManyLogs()), Store(), lambda: NOW, lambda _: None, 5.0)
    each = f'!self.lines.exists(l, l.contains("{word}"))'
    outcome = await checks.run(Query(CheckSource.LOGS, selector="app=w", each=each), {})
    assert outcome.result is result
    assert f"only the first {LOG_PODS} of {LOG_PODS + 1} pods were read" in outcome.seen


async def test_a_path_whose_value_is_not_known_is_not_asked_for() -> None:
    asked = Answering()
    query = Query(CheckSource.METRICS, path="/api/v1/nodes/{node}/proxy/metrics", names=("x",))
    checks = Checks(cast("Api", asked), Store(), lambda: NOW, lambda _: None, 5.0)
    outcome = await checks.run(query, {})
    assert (outcome.result, outcome.why) == (Result.UNKNOWN, "the node is not known")
    assert asked.asked == []
