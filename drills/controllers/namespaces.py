"""Contents of every namespace: the default account and the certificate of the API server.

Namespaces that clients create on a served drill stay empty, as on an API server without
controllers; the contract tests require that.
"""

from __future__ import annotations

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, created_at
from drills.controllers.context import CONTROLLER, ControllerContext
from drills.controllers.new_objects import new_object


def furnish(context: ControllerContext, namespace: Obj) -> None:
    """Create what a new namespace lacks."""
    name, at = namespace["metadata"]["name"], created_at(namespace)
    certificate = {"ca.crt": "# ca.crt\n"}
    for made in (
        new_object("ConfigMap", "kube-root-ca.crt", name, at, data=certificate),
        new_object("ServiceAccount", "default", name, at),
    ):
        if context.lookup(made["kind"], name, made["metadata"]["name"]) is None:
            context.create(made, FieldManager(CONTROLLER, at))
