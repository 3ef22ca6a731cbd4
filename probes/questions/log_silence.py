"""Pods that stopped writing logs while their peers continue, such as a stuck log shipper.

Reads only the time of the last line, not its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from cluster.errors import ClusterError
from cluster.kube.durations import parse_time
from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import top_owner
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, map_bounded, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.names import Unusable

MOST_PODS = 60
LEAST_PEERS = 3
"""With two, it is not known which one is unusual."""
LEAST_SILENCE_S = 300.0
PEER_FACTOR = 10.0


def _check_peers(context: ProbeContext, arguments: Mapping[str, str]) -> None:
    namespace = arguments.get("namespace", "")
    if not namespace:
        raise Unusable("Which namespace? Give namespace=NAME.")
    if not _groups(context, namespace, arguments.get("owner", "")):
        raise Unusable(
            f"Namespace {namespace} has no owner with two or more running pods to compare; give "
            "another one."
        )


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    rows, conclusions, problems = [], [], []
    requests = 0
    for owner, pods in _groups(context, arguments["namespace"], arguments.get("owner", "")).items():
        progress(f"{len(pods)} pods of {owner}")
        ages = await map_bounded(pods, lambda pod: _age(context, pod))
        requests += len(pods)
        known = [age for age in ages if isinstance(age, float)]
        usual = median(known) if known else 0.0
        for pod, age in zip(pods, ages, strict=True):
            ref = Ref("Pod", pod.metadata.namespace, pod.metadata.name)
            if isinstance(age, str):
                problems.append(f"log of {ref.namespace}/{ref.name} not read: {age}")
                rows.append(Row(ref, "not read", None))
                continue
            silent = (
                len(known) >= LEAST_PEERS
                and age > LEAST_SILENCE_S
                and age > PEER_FACTOR * max(usual, 1.0)
            )
            seen = "never wrote a line" if age == float("inf") else f"last line {age:.0f} s ago"
            normal = not silent if len(known) >= LEAST_PEERS else None
            few = "" if len(known) >= LEAST_PEERS else f"; {len(known)} pods are too few to compare"
            rows.append(
                Row(
                    ref,
                    f"{seen} on {pod.spec.node_name}{few}",
                    normal,
                    f"as its peers: {usual:.0f} s",
                )
            )
            if silent:
                conclusions.append(
                    Conclusion(
                        f"{ref.name} on {pod.spec.node_name} is silent ({seen}) while the other "
                        f"pods of {owner} wrote {usual:.0f} s ago",
                        Component("pod", f"{ref.namespace}/{ref.name}"),
                        0.8,
                        "compare it with a peer, then restart it: kubectl delete pod -n "
                        f"{ref.namespace} {ref.name}",
                    )
                )
    return Findings(rows, conclusions, problems, requests)


def _groups(context: ProbeContext, namespace: str, wanted: str) -> dict[str, list[Pod]]:
    """Running pods by owner (for a ReplicaSet its Deployment), in groups of two and more, at most
    `MOST_PODS` in total."""
    found: dict[str, list[Pod]] = {}
    count = 0
    for _, pod in sorted(context.store.in_namespace("Pod", namespace).items()):
        if pod.status.phase != "Running" or count >= MOST_PODS:
            continue
        owner = top_owner(pod, context.store)
        if owner.kind == "Pod":
            continue
        if wanted and owner.name != wanted:
            continue
        found.setdefault(str(owner), []).append(pod)
        count += 1
    return {owner: pods for owner, pods in found.items() if len(pods) > 1}


async def _age(context: ProbeContext, pod: Pod) -> float | str:
    """Seconds since the last line of the first container, infinity without a line, or the reason
    why it could not be read."""
    if context.api is None:
        return "there is no connection to the API server"
    path = f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}/log"
    try:
        text, _ = await context.api.get_text(
            path,
            {
                "container": pod.spec.containers[0].name,
                "tailLines": 1,
                "timestamps": "true",
                "limitBytes": 4096,
            },
            timeout=8,
        )
    except ClusterError as error:
        return str(error)
    stamp = text.split(" ", 1)[0].strip()
    if not stamp:
        return float("inf")
    moment = parse_time(stamp)
    if moment is None:
        return "its last line has no time"
    return max(0.0, (context.clock() - moment).total_seconds())


PROBE = read_only_probe(
    "log-silence",
    "Has a pod stopped writing logs while the other pods of its owner go on?",
    {
        "namespace": "(required) whose pods are compared",
        "owner": "only pods of this DaemonSet, Deployment or StatefulSet",
    },
    look,
    kinds=("Pod",),
    check=_check_peers,
    reads=("the time of the last log line of each pod (tailLines=1)",),
    method="last lines as the kubelets have them: a pod that has nothing to say is silent too, so "
    "only peers are compared",
    seconds=6.0,
)
