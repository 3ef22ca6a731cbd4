"""Measures from the API server, without a probe pod: by proxy (`how=proxy`) or port-forward
(`how=port-forward`).

The proxy proves that the application answers HTTP to the API server; policies, kube-proxy and DNS
are not on that path. Port-forward proves that a process listens on the pod's localhost and nothing
about the network. When the proxy fails and port-forward works, the fault is between network and
pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.errors import ApiError, ClusterError
from cluster.kube.text import clean_line
from probes.context import ProbeContext, Progress
from probes.read_only import map_bounded
from probes.result import (
    Cell,
    Component,
    Conclusion,
    Destination,
    Expectation,
    Place,
    ProbePlan,
    ProbeResult,
    ResultClass,
    Right,
    Try,
    not_measured,
)
from probes.select.targets import find_all_targets

PROXY, FORWARD = "proxy", "port-forward"
HOW = (PROXY, FORWARD)
TIME_LIMIT = 12.0
_PROVES = {
    PROXY: (
        "the API server's proxy: the application answers HTTP from the control plane's side; not "
        "policies, Services' addresses or DNS"
    ),
    FORWARD: (
        "port-forward: a process listens inside the pod, on its localhost; nothing of network, "
        "policies or Services"
    ),
}
_RIGHTS = {PROXY: ("get", "proxy"), FORWARD: ("create", "portforward")}
_NO_ENDPOINTS = "no endpoints available"


@dataclass(frozen=True, slots=True)
class ApiServerPlan:
    """The working plan. `targets`: pods, and for the proxy also the Service."""

    how: str
    targets: tuple[Destination, ...]


async def plan(
    context: ProbeContext, name: str, question: str, arguments: Mapping[str, str], how: str
) -> ProbePlan:
    """The plan. Raises `Unusable`. `from` is not used, because every packet comes from the control
    plane."""
    found = find_all_targets(
        context.store, arguments.get("to", ""), int(arguments.get("port", "0"))
    )
    targets = tuple(t for t in found.targets if t.pod or (how == PROXY and t.service))
    refused = (
        ""
        if targets
        else f"{arguments.get('to', '')} is neither a pod nor a Service; only those work."
    )
    if how == FORWARD and context.forward is None:
        refused = "Port-forward needs a connection to the API server."
    rights = [
        right for target in targets[:1] for right in await _rights(context, how, targets, target)
    ]
    denied = next((r for r in rights if r.allowed is False), None)
    if denied is not None:
        refused = f"{denied.verb} {denied.resource} is not allowed in namespace {denied.namespace}."
    word = (
        "GET / of each target through the API server's proxy"
        if how == PROXY
        else "GET / through a port-forward into each pod"
    )
    executes = (
        tuple(f"kubectl port-forward -n {t.namespace} {t.pod} :{t.port}" for t in targets)
        if how == FORWARD
        else ()
    )
    return ProbePlan(
        name,
        dict(arguments),
        question,
        executes=executes,
        reads=(word,),
        rights=tuple(rights),
        method=_PROVES[how],
        warnings=found.notes,
        refused=refused,
        seconds=2.0 + len(targets),
        detail=ApiServerPlan(how, targets),
    )


async def _rights(
    context: ProbeContext, how: str, targets: Sequence[Destination], first: Destination
) -> list[Right]:
    verb, sub = _RIGHTS[how]
    asked = []
    for resource in sorted({"pods" if target.pod else "services" for target in targets}):
        if context.writer is None:
            continue
        try:
            allowed, reason = await context.writer.review(
                verb, resource, subresource=sub, namespace=first.namespace
            )
        except ClusterError as error:
            asked.append(Right(verb, f"{resource}/{sub}", first.namespace, None, str(error)))
            continue
        asked.append(Right(verb, f"{resource}/{sub}", first.namespace, allowed, reason))
    return asked


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress) -> ProbeResult:
    """Measures. Does not raise for a failing cluster and creates nothing."""
    started = context.clock()
    detail = plan.detail
    assert isinstance(detail, ApiServerPlan)
    progress(f"{len(detail.targets)} targets through the API server ({detail.how})")
    ask = proxied if detail.how == PROXY else _forwarded
    tries = await map_bounded(detail.targets, lambda target: ask(context, target))
    place = Place("", "API server", how=f"API server {detail.how}")
    why = "NetworkPolicy does not speak of the API server"
    cells = tuple(
        Cell(
            place,
            target,
            Expectation.UNDEFINED,
            why,
            (one,),
            reason="" if one.verdict is not ResultClass.NOT_MEASURED else one.detail,
            command=_command(detail.how, target),
        )
        for target, one in zip(detail.targets, tries, strict=True)
    )
    problems = tuple(
        dict.fromkeys(f"{cell.target.label}: {cell.reason}" for cell in cells if cell.reason)
    )
    return ProbeResult(
        plan.probe,
        plan.arguments,
        started,
        context.clock(),
        cells,
        (),
        tuple(conclude(detail.how, cells)),
        complete=all(cell.counted for cell in cells),
        problems=problems,
        method=plan.method,
        requests=len(cells),
    )


async def proxied(context: ProbeContext, target: Destination) -> Try:
    """GET / of one pod or Service through the API server's proxy. Does not raise for a failing
    cluster."""
    if context.api is None:
        return Try(ResultClass.NOT_MEASURED, 0, detail="there is no connection to the API server")
    path = _proxy_path(target)
    began = context.clock()
    try:
        await context.api.get_text(path, timeout=TIME_LIMIT, cap=4096)
        verdict, detail = ResultClass.OK, "HTTP 2xx"
    except ApiError as error:
        verdict, detail = judge(
            error.status, error.detail or str(error), from_server=error.body.get("kind") == "Status"
        )
    except ClusterError as error:
        verdict, detail = ResultClass.NOT_MEASURED, str(error)
    return Try(verdict, int((context.clock() - began).total_seconds() * 1000), began, detail=detail)


def judge(status: int, words: str, *, from_server: bool) -> tuple[ResultClass, str]:
    """The meaning of an HTTP error through the proxy. `from_server`: the body is a metav1.Status,
    so it comes from the API server, with the words of Go's dialler after "error trying to reach
    service" (apimachinery pkg/util/proxy)."""
    text = words.lower()
    if not from_server:
        return ResultClass.OK, f"HTTP {status} by the application"
    if _NO_ENDPOINTS in text:
        return ResultClass.REFUSED, _NO_ENDPOINTS
    if "error trying to reach service" not in text and status != 504:
        return (
            ResultClass.NOT_MEASURED,
            f"HTTP {status} by the API server: {clean_line(words, 200)}",
        )
    for mark, verdict in (
        ("connection refused", ResultClass.REFUSED),
        ("no route to host", ResultClass.REJECTED),
        ("network is unreachable", ResultClass.REJECTED),
        ("i/o timeout", ResultClass.TIMEOUT_CONNECT),
        ("deadline exceeded", ResultClass.TIMEOUT_CONNECT),
        ("timed out", ResultClass.TIMEOUT_CONNECT),
        ("connection reset", ResultClass.RESET),
        ("tls:", ResultClass.TLS_HANDSHAKE),
        ("x509:", ResultClass.TLS_CERTIFICATE),
    ):
        if mark in text:
            return verdict, clean_line(words, 200)
    if "malformed http" in text or "eof" in text:
        return ResultClass.OK, "it accepts connections and does not speak HTTP"
    return ResultClass.NOT_MEASURED, clean_line(words, 200)


async def _forwarded(context: ProbeContext, target: Destination) -> Try:
    assert context.forward is not None
    began = context.clock()
    answer = await context.forward(target.namespace, target.pod, target.port, TIME_LIMIT)
    ms = int((context.clock() - began).total_seconds() * 1000)
    if answer.open is None:
        return Try(ResultClass.NOT_MEASURED, ms, began, detail=answer.error)
    if answer.open:
        return Try(
            ResultClass.OK,
            ms,
            began,
            detail=clean_line(answer.heard.splitlines()[0], 80) if answer.heard else "open, silent",
        )
    refused = "refused" in answer.refused
    return Try(
        ResultClass.REFUSED if refused else ResultClass.NOT_MEASURED,
        ms,
        began,
        detail=answer.refused[-200:],
    )


def _proxy_path(target: Destination) -> str:
    plural, name = ("pods", target.pod) if target.pod else ("services", target.service)
    scheme = "https:" if target.port in (443, 8443, 6443) else ""
    return f"/api/v1/namespaces/{target.namespace}/{plural}/{scheme}{name}:{target.port}/proxy/"


def _command(how: str, target: Destination) -> str:
    if how == PROXY:
        return f"kubectl get --raw '{_proxy_path(target)}'"
    return f"kubectl port-forward -n {target.namespace} {target.pod} :{target.port}"


def conclude(how: str, cells: Sequence[Cell]) -> list[Conclusion]:
    """Conclusions that this side allows."""
    measured = [cell for cell in cells if cell.counted]
    if not measured:
        return [not_measured("nothing was measured")]
    found: list[Conclusion] = []
    for cell in (c for c in measured if c.failed):
        target, one = cell.target, cell.tries[0]
        owner = f"{target.namespace}/{target.pod or target.service}"
        if one.detail == _NO_ENDPOINTS:
            claim = f"Service {owner} has no endpoint that is ready: the API server says so itself"
            following = "compare its selector with the pods, see why they are not ready"
            found.append(Conclusion(claim, Component("service", owner), 0.9, following))
        elif how == FORWARD:
            claim = f"Nothing listens on port {target.port} inside pod {owner}"
            found.append(
                Conclusion(
                    claim,
                    Component("pod", owner),
                    0.85,
                    "the container's command, its ports, a Service's targetPort",
                )
            )
        else:
            claim = (
                f"{owner}:{target.port} is not reached from the API server's side: "
                f"{one.verdict.value} ({one.detail})"
            )
            following = (
                "how=port-forward: if a process listens there, the fault is between the network "
                "and the pod"
            )
            found.append(
                Conclusion(
                    claim, Component("pod" if target.pod else "service", owner), 0.4, following
                )
            )
    if not found:
        what = (
            "answer through the API server's proxy"
            if how == PROXY
            else "have a process that listens"
        )
        following = (
            "this does not measure the path of real clients: probe with pods where that is possible"
        )
        found.append(
            Conclusion(
                f"{len(measured)} of {len(cells)} targets {what}",
                Component("none", ""),
                0.5,
                following,
            )
        )
    return found
