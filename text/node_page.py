"""One node: its heartbeat, capacity and use as bars, its pods by owner and class, and its
differences from the other nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from cluster.kube import objects as k
from cluster.kube.durations import words
from cluster.kube.objects import Ref
from cluster.kube.owners import top_owner
from cluster.kube.pods import is_finished
from cluster.kube.quantity import parse, size_text
from cluster.live.store import Store
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, field, line, rule
from text.words import plural
from triage.facts.measurements import NodeUsage
from triage.facts.windows import LEASE_STALE

SIZE = 13
BAR = 20
"""Cells of a bar."""
OWNERS = 12
QOS = ("Guaranteed", "Burstable", "BestEffort")


def node_lines(
    node: k.Node, usage: NodeUsage | None, store: Store, now: datetime, keys: Keys = NO_KEYS
) -> list[Line]:
    """The whole page; `usage` is None when nothing was measured."""
    pods = [p for p in store.pods_on(node.metadata.name).values() if not is_finished(p)]
    lines = [*_lease(node, store, now), *_taints(node)]
    act = named("{.act}  cordon, drain and what else fits, each with its plan", keys)
    lines += [line(" ", (act, HINT))] if act else []
    lines += _room(node, pods, usage)
    different = list(_different(node, store))
    lines += [BLANK, rule("differs from the other nodes")]
    lines += different or [line(" ", ("No difference is known.", "muted"))]
    return [
        *lines,
        BLANK,
        rule(f"{plural(len(pods), 'pod')} not ended, by owner"),
        *_owners(pods, store),
    ]


def _lease(node: k.Node, store: Store, now: datetime) -> Iterator[Line]:
    lease = store.get("Lease", "kube-node-lease", node.metadata.name)
    renewed = lease.spec.renew_time if isinstance(lease, k.Lease) else None
    if renewed is None:
        yield field("heartbeat", ("its Lease was not read", "unknown"), size=SIZE)
        return
    age = now - renewed
    late = age > LEASE_STALE
    said = f"Lease renewed {words(age)} ago"
    if late:
        said += "; the kubelet renews it every 10 s"
    yield field("heartbeat", (said, "warning" if late else "plain"), size=SIZE)
    if node.spec.unschedulable:
        yield field("cordoned", ("no new pod is placed here", "warning"), size=SIZE)


def _taints(node: k.Node) -> Iterator[Line]:
    for taint in node.spec.taints:
        value = f"={taint.value}" if taint.value else ""
        yield field("taint", (f"{taint.key}{value}:{taint.effect}", "warning"), size=SIZE)


# -- room


def _room(node: k.Node, pods: Sequence[k.Pod], usage: NodeUsage | None) -> Iterator[Line]:
    """Requests and use as shares of the allocatable resources."""
    yield BLANK
    yield rule("of what can be allocated")
    room = {name: parse(text) or 0.0 for name, text in node.status.allocatable.items()}
    shown: list[tuple[str, float, float | None, Callable[[float], str]]] = [
        ("cpu", _requested(pods, "cpu"), usage.cpu_cores if usage else None, _cores),
        ("memory", _requested(pods, "memory"), _bytes(usage), size_text),
        ("pods", float(len(pods)), None, lambda value: f"{value:.0f}"),
    ]
    for name, requested, used, say in shown:
        total = room.get(name, 0.0)
        if not total:
            continue
        label = "" if name == "pods" else "requested "
        yield _bar(name, label, requested, total, say)
        if used is not None:
            yield _bar("", "used      ", used, total, say)
    if usage is None:
        yield line(" ", ("Use is not measured yet, or this account may not read it.", "muted"))


def _bytes(usage: NodeUsage | None) -> float | None:
    return float(usage.memory_bytes) if usage and usage.memory_bytes is not None else None


def _cores(value: float) -> str:
    return f"{value:.1f} cores"


def _bar(name: str, label: str, value: float, total: float, say: Callable[[float], str]) -> Line:
    share = value / total
    full = min(BAR, round(share * BAR))
    style = "critical" if share > 1 else "warning" if share > 0.9 else "good"
    bar = "█" * full + "░" * (BAR - full)
    amount = f" {share:4.0%}  {say(value)} of {say(total)}"
    return field(name, (label, "muted"), (bar, style), amount, size=SIZE)


def _requested(pods: Sequence[k.Pod], name: str) -> float:
    """Requests as the scheduler counts them: the sum of the containers, or the largest init
    container."""
    return sum(_of_pod(pod, name) for pod in pods)


def _of_pod(pod: k.Pod, name: str) -> float:
    sidecars = [c for c in pod.spec.init_containers if c.restart_policy == "Always"]
    steps = [c for c in pod.spec.init_containers if c.restart_policy != "Always"]
    always = sum(_request(c, name) for c in (*pod.spec.containers, *sidecars))
    return max([always, *(_request(c, name) for c in steps)])


def _request(container: k.Container, name: str) -> float:
    text = container.resources.requests.get(name) or container.resources.limits.get(name) or ""
    return parse(text) or 0.0


# -- pods


def _owners(pods: Sequence[k.Pod], store: Store) -> Iterator[Line]:
    """Owners with the most pods first, each with the classes of its pods."""
    classes = Counter(pod.status.qos_class or "not known" for pod in pods)
    said = ", ".join(f"{classes[name]} {name}" for name in (*QOS, "not known") if classes[name])
    if said:
        yield line(" ", (said, "muted"))
    owners: dict[Ref, list[k.Pod]] = {}
    for pod in pods:
        owners.setdefault(top_owner(pod, store), []).append(pod)
    ordered = sorted(owners, key=lambda ref: (-len(owners[ref]), ref))
    for ref in ordered[:OWNERS]:
        group = owners[ref]
        memory = sum(_of_pod(pod, "memory") for pod in group)
        cpu = sum(_of_pod(pod, "cpu") for pod in group)
        asks = f"requests {cpu:.2f} cores, {size_text(memory)}" if cpu or memory else "no requests"
        target = "|".join(ref)
        name = (f"{ref}  ", "strong")
        yield field(f"{len(group):>4}", name, (asks, "muted"), size=5, target=target)
    if len(ordered) > OWNERS:
        yield line(" ", (f"and {plural(len(ordered) - OWNERS, 'more owner')}", "muted"))


# -- peers


def _different(node: k.Node, store: Store) -> Iterator[Line]:
    """Values that differ from the one that most nodes share."""
    others = [each for each in store.all("Node", k.Node) if each is not node]
    others = [each for each in others if each.metadata.name != node.metadata.name]
    if len(others) < 2:
        return
    for name, read in _COMPARED:
        mine = read(node)
        values = Counter(read(each) for each in others)
        usual, count = values.most_common(1)[0]
        if mine != usual and count * 2 > len(others):
            said = f"{mine or 'none'}; {count} of {len(others)} others: {usual or 'none'}"
            yield field(name, (said, "warning"), size=SIZE)
    yield from _agents(node, others, store)


def _agents(node: k.Node, others: Sequence[k.Node], store: Store) -> Iterator[Line]:
    """DaemonSets that run here and not on most nodes, or the other way round."""
    here = _daemon_sets(node, store)
    counts: Counter[Ref] = Counter()
    for each in others:
        counts.update(_daemon_sets(each, store))
    for ref in sorted({*here, *counts}):
        usual = counts[ref] * 2 > len(others)
        if usual != (ref in here):
            has = "does not run" if usual else "runs"
            said = f"{has} here; on {counts[ref]} of {len(others)} others"
            yield field("agent", f"{ref} ", (said, "warning"), size=SIZE, target="|".join(ref))


def _daemon_sets(node: k.Node, store: Store) -> set[Ref]:
    owners = {top_owner(pod, store) for pod in store.pods_on(node.metadata.name).values()}
    return {ref for ref in owners if ref.kind == "DaemonSet"}


def _label(*names: str) -> Callable[[k.Node], str]:
    return lambda node: next(
        (node.metadata.labels[n] for n in names if n in node.metadata.labels), ""
    )


_COMPARED: tuple[tuple[str, Callable[[k.Node], str]], ...] = (
    ("kubelet", lambda n: n.status.node_info.kubelet_version),
    ("kernel", lambda n: n.status.node_info.kernel_version),
    ("system", lambda n: n.status.node_info.os_image),
    ("runtime", lambda n: n.status.node_info.container_runtime_version),
    ("architecture", lambda n: n.status.node_info.architecture),
    ("machine", _label("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")),
    ("cpu", lambda n: n.status.allocatable.get("cpu", "")),
)
