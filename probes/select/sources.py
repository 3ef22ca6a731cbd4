"""Where a connectivity probe starts: pods, nodes or a namespace, by what a person named."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kube.objects import Pod
from cluster.live.store import Store
from probes.select.image import choices
from probes.select.labels import representative
from probes.select.names import Unusable, split
from probes.select.targets import Targets, check_namespace, open_to_pods


@dataclass(frozen=True, slots=True)
class Source:
    """One place to measure from. `client`: the pod that it represents; `role`: why it is in the
    plan."""

    namespace: str
    node: str
    client: Pod | None
    role: str


def find_all_sources(
    store: Store, from_: str, targets: Targets, *, control: str = ""
) -> tuple[Source, ...]:
    """`find_sources` for several, separated by commas; only the first gets a control. Raises
    `Unusable`."""
    first, *others = from_.split(",")
    found = list(find_sources(store, first, targets, control=control or ("none" if others else "")))
    for other in others:
        known = {(each.namespace, each.node) for each in found}
        found += [
            s
            for s in find_sources(store, other, targets, control="none")
            if (s.namespace, s.node) not in known
        ]
    return tuple(found)


def find_sources(
    store: Store, from_: str, targets: Targets, *, control: str = ""
) -> tuple[Source, ...]:
    """Sources for `NS` or `NS/POD`: the client's node, a second node, and a control namespace on
    the first. Raises `Unusable`.

    `control`: a namespace, "none", or "" for the target's namespace, or another one when both are
    the same.
    """
    namespace, name = split(from_, "The source")
    client: Pod | None
    if name:
        client = store.get("Pod", namespace, name)
        if client is None:
            check_namespace(store, namespace)
            raise Unusable(
                f"There is no pod {namespace}/{name}; look at `kubectl get pod -n {namespace}`, "
                "or give the namespace alone."
            )
    else:
        check_namespace(store, namespace)
        client = representative(store, namespace)
    usable = [
        node for node in sorted(n for _, n in store.rows("Node")) if open_to_pods(store, node)
    ]
    if not usable and client is None:
        raise Unusable(
            "No node is Ready and there is no running pod in the source namespace; nothing can "
            "measure from there."
        )
    first = client.spec.node_name if client is not None else ""
    if not name and first not in usable:
        with_image = [
            node for node in usable if any(c.on_node for c in choices(store, node, client))
        ]
        first = (with_image or usable or [first])[0]
    found = [Source(namespace, first or usable[0], client, "the client")]
    target_nodes = [t.node for t in targets.targets if t.node in usable]
    others = [node for node in dict.fromkeys([*target_nodes, *usable]) if node != found[0].node]
    # A node that has an image comes first, because it needs no registry.
    second = next(
        (
            node
            for node in others
            if any(c.on_node for c in choices(store, node, representative(store, namespace, node)))
        ),
        "",
    )
    second = second or (others[0] if others else "")
    if second:
        found.append(
            Source(
                namespace,
                second,
                representative(store, namespace, second) or client,
                "same namespace, another node",
            )
        )
    other = _control(store, namespace, targets, control)
    if other:
        here = representative(store, other, found[0].node)
        found.append(Source(other, found[0].node, here, "control: another namespace, same node"))
    return tuple(found)


def _control(store: Store, namespace: str, targets: Targets, wanted: str) -> str:
    if wanted == "none":
        return ""
    if wanted:
        control, _ = split(wanted, "The control namespace")
        check_namespace(store, control)
        return control
    goal = next((t.namespace for t in targets.targets if t.namespace), "")
    if goal and goal != namespace:
        return goal
    names = sorted(n for _, n in store.rows("Namespace"))
    system = ("kube-system", "kube-public", "kube-node-lease", namespace)
    populated = [n for n in names if n not in system and representative(store, n) is not None]
    return (
        populated[0]
        if populated
        else ("default" if "default" in names and namespace != "default" else "")
    )
