"""Reactions to a write or deletion by a client: controllers act, a cordon sets its taint,
dependants are garbage-collected."""

from __future__ import annotations

import copy

from drills.api.kinds import ApiResource
from drills.api.objects import Obj, dig
from drills.api.store import StoredObject
from drills.controllers.cordon import follow_cordon
from drills.controllers.jobs import Jobs
from drills.controllers.live import LiveContext
from drills.controllers.out_of_service import empty_node, is_out_of_service
from drills.controllers.workloads import PodRunner, Workloads


class Reactions:
    """Called after each change that is not a dry run."""

    def __init__(self, context: LiveContext, kubelets: PodRunner) -> None:
        self._context, self._store, self._kubelets = context, context.store, kubelets
        self._workloads, self._jobs = Workloads(context, kubelets), Jobs(context, kubelets)

    def wrote(self, kind: ApiResource, before: Obj | None, entry: StoredObject) -> None:
        """Called after a client's create, update or patch."""
        self._context.mark()
        obj = entry.obj
        if kind.plural == "pods":
            field = ("spec", "ephemeralContainers")
            if before is None:
                self._context.spawn(self._kubelets.run(obj))
            elif dig(before, *field) != dig(obj, *field):
                self._context.spawn(self._kubelets.start_ephemeral(obj))
        elif kind.plural in {"deployments", "replicasets", "statefulsets", "daemonsets"}:
            self._context.spawn(self._workloads.sync(obj))
        elif kind.plural == "jobs" and before is None:
            self._context.spawn(self._jobs.start(obj))
        elif kind.plural == "nodes" and before is not None:
            field = ("spec", "unschedulable")
            if bool(dig(before, *field)) != bool(dig(obj, *field)):
                follow_cordon(self._context, obj)
            if is_out_of_service(obj) and not is_out_of_service(before):
                self._context.spawn(empty_node(self._context, self._workloads, self._kubelets, obj))

    def deleted(self, kind: ApiResource, last: StoredObject, options: Obj) -> None:
        """Called after a client's delete; `options.gone`: the object is already away."""
        self._context.mark()
        obj = last.obj
        if kind.plural == "pods":
            end = self._workloads.replace if options["gone"] else self._workloads.end_pod
            self._context.spawn(end(obj))
        elif options["gone"]:
            self._collect(obj, str(options["propagationPolicy"]))
            if kind.plural == "namespaces":
                self._empty_namespace(obj["metadata"]["name"])

    # --- garbage collection

    def _collect(self, owner: Obj, policy: str) -> None:
        """Collect the dependants of a deleted owner. `policy` is the propagation policy: with
        Orphan dependants stay."""
        uid = owner["metadata"]["uid"]
        for kind in self._store.kinds:
            for entry in self._store.entries(kind):
                refs = entry.obj["metadata"].get("ownerReferences") or []
                left = [r for r in refs if r["uid"] != uid]
                if len(left) == len(refs):
                    continue
                obj = copy.deepcopy(entry.obj)
                if policy == "Orphan" or left:
                    obj["metadata"]["ownerReferences"] = left
                    self._store.put(kind, obj)
                elif kind.plural == "pods" and dig(obj, "spec", "nodeName"):
                    self._workloads.delete_pod(obj)
                else:
                    meta = obj["metadata"]
                    self._store.remove(kind, meta.get("namespace", ""), meta["name"])
                    self._collect(obj, policy)

    def _empty_namespace(self, name: str) -> None:
        for kind in self._store.kinds:
            if kind.namespaced:
                for entry in self._store.entries(kind, name):
                    self._store.remove(kind, name, entry.obj["metadata"]["name"])
