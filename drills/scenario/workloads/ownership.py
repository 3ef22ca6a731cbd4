"""What the objects of all controllers have in common: their metadata, defaults, who writes them,
revisions."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from drills.api.defaults import pod_spec
from drills.api.objects import Obj, rfc3339
from drills.api.world import World, Writer

WRITTEN_BY_USER = (
    "spec",
    "metadata.labels",
    "metadata.annotations.meta.helm.sh/release-name",
    "metadata.annotations.meta.helm.sh/release-namespace",
)


def owner_meta(data: dict[str, Any], created: datetime, labels: dict[str, str]) -> Obj:
    by = str(data.get("by", "argocd-controller"))
    meta: Obj = {
        "name": data["name"],
        "namespace": data["namespace"],
        "creationTimestamp": rfc3339(created),
        "labels": {**labels, **data.get("metaLabels", {})},
    }
    if by == "helm":
        meta["labels"]["app.kubernetes.io/managed-by"] = "Helm"
        meta["annotations"] = {
            "meta.helm.sh/release-name": data["name"],
            "meta.helm.sh/release-namespace": data["namespace"],
        }
    return meta


def defaulted(template: Obj) -> Obj:
    out = copy.deepcopy(template)
    pod_spec(out["spec"])
    out["metadata"].setdefault("creationTimestamp", None)
    return out


def add_controller_revision(
    world: World, owner: Obj, template: Obj, code: str, at: datetime, revision: int
) -> Obj:
    meta = owner["metadata"]
    return world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{meta['name']}-{code}",
                "namespace": meta["namespace"],
                "creationTimestamp": rfc3339(at),
                "labels": {
                    **owner["spec"]["selector"]["matchLabels"],
                    "controller-revision-hash": code,
                },
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": owner["kind"],
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "data": {"spec": {"template": {**defaulted(template), "$patch": "replace"}}},
            "revision": revision,
        },
        Writer("kube-controller-manager", at),
    )
