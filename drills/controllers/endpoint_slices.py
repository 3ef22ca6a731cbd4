"""The EndpointSlice of a Service. `status_sync` fills it."""

from __future__ import annotations

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, controlled_by, created_at, stable_suffix
from drills.controllers.context import CONTROLLER, ControllerContext
from drills.controllers.new_objects import new_object


def create_slice(context: ControllerContext, service: Obj) -> None:
    """An empty slice for a Service with a selector that has none."""
    meta, spec = service["metadata"], service["spec"]
    name = f"{meta['name']}-{stable_suffix('slice', meta['namespace'], meta['name'])}"
    known = context.lookup("EndpointSlice", meta["namespace"], name) is not None
    if known or not spec.get("selector"):
        return
    labels = {
        **meta.get("labels", {}),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": meta["name"],
        **({"service.kubernetes.io/headless": ""} if spec.get("clusterIP") == "None" else {}),
    }
    made = new_object(
        "EndpointSlice",
        name,
        meta["namespace"],
        created_at(service),
        {
            "generateName": f"{meta['name']}-",
            "generation": 1,
            "labels": labels,
            "annotations": {
                "endpoints.kubernetes.io/last-change-trigger-time": meta["creationTimestamp"]
            },
            "ownerReferences": controlled_by(service),
        },
        addressType="IPv4",
        endpoints=[],
        ports=[],
    )
    context.create(made, FieldManager(CONTROLLER, context.now()))
