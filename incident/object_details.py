"""One object in full, for the object screens: cleaned, redacted, or a sentence that says why it is
not available."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from shlex import quote
from typing import TYPE_CHECKING, Any

import yaml

from cluster.api.audit import audit_trail
from cluster.api.reads import get_object, object_path
from cluster.api.transport import PARTIAL
from cluster.errors import ClusterError
from cluster.kube.decode import LAST_APPLIED
from cluster.kube.kinds import READABLE, Kind
from cluster.kube.managed_fields import key_names
from cluster.kube.objects import Ref
from incident.provenance import audit_ids
from incident.record import Record

if TYPE_CHECKING:
    from cluster.api.transport import Api


class ObjectDetails:
    def __init__(
        self, api: Callable[[], Api | None], record: Callable[[], Record], limit: float
    ) -> None:
        """`limit`: seconds for one request."""
        self._api = api
        self._record = record
        self._limit = limit
        self.audit_ids: dict[Ref, str] = {}
        """Of the last response for each object."""

    async def yaml(self, ref: Ref) -> str:
        """The object as YAML without managedFields; of a Secret or ConfigMap the metadata and the
        names of its keys."""
        api, kind = self._api(), READABLE.get(ref.kind)
        if api is None:
            return f"# {ref} cannot be read: there is no connection to a cluster"
        if kind is None:
            return (
                f"# {ref} cannot be read: stanch does not know the kind; try kubectl get "
                f"{quote(ref.kind)} {quote(ref.name)} -o yaml"
            )
        trail = audit_trail()
        try:
            if kind.metadata_only:
                text = await self._metadata(api, kind, ref)
            else:
                limit = self._limit
                text = dump(await get_object(api, kind, ref.namespace, ref.name, timeout=limit))
        except ClusterError as error:
            return f"# {ref} cannot be read: {error}"
        self.audit_ids[ref] = audit_ids(trail)
        return self._record().redact(text)

    async def _metadata(self, api: Api, kind: Kind, ref: Ref) -> str:
        path, what = object_path(kind, ref.namespace, ref.name), f"get {ref}"
        found = await api.get_json(path, timeout=self._limit, accept=PARTIAL, what=what)
        given = found.get("metadata") if isinstance(found, dict) else None
        metadata = dict(given) if isinstance(given, dict) else {}
        managers = metadata.pop("managedFields", None) or ()
        trees = (each.get("fieldsV1") for each in managers if isinstance(each, dict))
        keys = sorted(key_names(tree for tree in trees if isinstance(tree, dict)))
        if isinstance(metadata.get("annotations"), dict):
            metadata["annotations"].pop(LAST_APPLIED, None)
        document = {"apiVersion": kind.api_version, "kind": ref.kind, "metadata": metadata}
        known = ", ".join(keys) or "none known"
        return f"{dump(document)}# keys (names only, values are never read): {known}\n"


def dump(document: Mapping[str, Any]) -> str:
    """The object as YAML, in the server's order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
