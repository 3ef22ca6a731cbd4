"""The taint `node.kubernetes.io/out-of-service` on a node that is off deletes its pods by force and
detaches its volumes, so that pods elsewhere start with them."""

from __future__ import annotations

from drills.api.objects import Obj, controller_of, dig
from drills.controllers.context import ControllerContext
from drills.controllers.scheduling import tolerates
from drills.controllers.volumes import attach_volumes, attachments, volumes_of
from drills.controllers.workloads import PodRunner, Workloads

TAINT = "node.kubernetes.io/out-of-service"
_SECONDS = 1.0
"""Until the controllers act."""


def is_out_of_service(node: Obj) -> bool:
    """Whether a node has the taint with effect NoExecute."""
    return _taint(node) is not None


async def empty_node(
    context: ControllerContext, workloads: Workloads, kubelets: PodRunner, node: Obj
) -> None:
    """Delete the pods without a toleration, detach the volumes, and start what waited for them. A
    node that is Ready keeps both, as in Kubernetes."""
    await context.wait(_SECONDS)
    name, now = node["metadata"]["name"], context.present(node)
    taint = _taint(now) if now is not None else None
    if taint is None or context.node_works(name):
        return
    released = set()
    for held in attachments(context, name):
        released.add(dig(held, "spec", "source", "persistentVolumeName"))
        context.remove(held)
    for pod in [each for each in context.of("Pod") if dig(each, "spec", "nodeName") == name]:
        if any(tolerates(each, taint) for each in pod["spec"].get("tolerations") or []):
            continue
        context.remove(pod)
        if (controller_of(pod) or {}).get("kind") != "DaemonSet":
            context.spawn(workloads.replace(pod))
    for pod in list(context.of("Pod")):
        host, waits = dig(pod, "spec", "nodeName"), dig(pod, "status", "phase") == "Pending"
        if host and waits and released & volumes_of(context, pod):
            attach_volumes(context, pod, host)
            context.spawn(kubelets.start_waiting(pod))


def _taint(node: Obj) -> Obj | None:
    taints: list[Obj] = dig(node, "spec", "taints", default=[])
    return next((t for t in taints if (t["key"], t["effect"]) == (TAINT, "NoExecute")), None)
