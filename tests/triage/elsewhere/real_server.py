"""Clusters on a real API server (rung 1): written into etcd with their past, read by the product as
it reads any cluster.

`python -m tests.triage.elsewhere.real_server [WORDS]` plays the members of families of faults whose
name holds WORDS, each on a server of its own, and prints what is told otherwise than in memory."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cli.connection import read_once
from cluster.kube.kinds import BY_NAME
from incident.options import Options
from incident.session import LiveInvestigation
from incident.view import View
from tests.rungs.controlplane import control_plane
from tests.triage.build import NOW, Cluster
from tests.triage.elsewhere.objects import Json
from tests.triage.members.member import Member, lines
from tests.triage.members.table import MEMBERS

PATIENCE = 60.0
"""Seconds for one reading of the whole cluster; measured 1 to 3."""
GATEWAY_API = "gateway.networking.k8s.io"
_GATEWAY_KINDS = {
    "GatewayClass": "gatewayclasses",
    "Gateway": "gateways",
    "HTTPRoute": "httproutes",
    "GRPCRoute": "grpcroutes",
    "TLSRoute": "tlsroutes",
}
"""Kind -> plural, as the Gateway API 1.5 names them."""
_CERTIFICATE_KINDS = {
    kind: BY_NAME[kind] for kind in ("Certificate", "Issuer", "ClusterIssuer", "Challenge")
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def read(kubeconfig: Path, folder: Path) -> View:
    """What `stanch triage` concludes of a cluster; its state lies in `folder`."""
    options = Options(
        kubeconfig=str(kubeconfig),
        state=folder / "state",
        config=folder / "config",
        write=False,
        record=False,
    )

    async def once() -> View:
        investigation = LiveInvestigation(options)
        await investigation.start()
        try:
            return await read_once(investigation, PATIENCE)
        finally:
            await investigation.stop()

    return asyncio.run(once())


def definition(kind: str, plural: str, group: str, version: str = "v1", scope: str = "") -> Json:
    """A CustomResourceDefinition that takes any field, with a status of its own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served_version = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    # Without these the server serves the kind only some seconds after it is ready.
    conditions = [{"type": type_, "status": "True"} for type_ in ("NamesAccepted", "Established")]
    # A group below k8s.io needs the approval or the word that there is none.
    about = {"api-approved.kubernetes.io": "unapproved, for a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": about},
        "spec": {
            "group": group,
            "scope": scope or "Namespaced",
            "names": names,
            "versions": [served_version],
            "conversion": {"strategy": "None"},
        },
        "status": {"storedVersions": [version], "acceptedNames": names, "conditions": conditions},
    }


def gateway_definitions() -> Iterator[Json]:
    for kind, plural in _GATEWAY_KINDS.items():
        scope = "Cluster" if kind == "GatewayClass" else "Namespaced"
        yield definition(kind, plural, GATEWAY_API, scope=scope)


def served(cluster: Cluster, now: datetime) -> Iterator[Json]:
    """The objects of a small cluster as a server keeps them, with their times dated from now and
    the definitions of their kinds."""

    def dated(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0]) - NOW + now
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if "." in found[0] else "%Y-%m-%dT%H:%M:%SZ")

    if any(kind in _GATEWAY_KINDS for kind, _ in cluster.raw):
        yield from gateway_definitions()
    if any(kind in _CERTIFICATE_KINDS for kind, _ in cluster.raw):
        for kind, one in _CERTIFICATE_KINDS.items():
            scope = "Namespaced" if one.namespaced else "Cluster"
            yield definition(kind, one.plural, one.group, scope=scope)
    for kind, raw in cluster.raw:
        plain = {name: value for name, value in raw.items() if name not in ("pods", "set")}
        item = json.loads(_TIME.sub(dated, json.dumps(plain)))
        for write in item["metadata"].get("managedFields", ()):
            write["fieldsType"] = "FieldsV1"
        if kind == "CustomResourceDefinition":
            yield from _defined(item)
        else:
            yield {**item, "kind": kind, "apiVersion": BY_NAME[kind].api_version}


def _defined(item: Json) -> Iterator[Json]:
    """A definition of which a cluster in memory has the metadata alone. While it is deleted, an
    object of its kind is left that its own finalizer holds: without one the server ends the
    deletion at once."""
    plural, _, group = item["metadata"]["name"].partition(".")
    kind = plural.removesuffix("s").capitalize()
    whole = definition(kind, plural, group)
    yield {**whole, "metadata": item["metadata"]}
    if "deletionTimestamp" in item["metadata"]:
        left = {"name": "left", "namespace": "shop", "finalizers": [f"{group}/keep"]}
        yield {"apiVersion": f"{group}/v1", "kind": kind, "metadata": left}


def told(objects: Iterable[Json]) -> View:
    with (
        tempfile.TemporaryDirectory() as folder,
        control_plane(objects=objects) as cluster,
    ):
        return read(cluster.kubeconfig, Path(folder))


def played(one: Member) -> tuple[str, str]:
    """The title of the first symptom and the id of its first runbook, as `lines` gives them."""
    cluster = Cluster(3)
    cluster.deployment("calm", "other", replicas=3)
    one.build(cluster)
    view = told(served(cluster, datetime.now(UTC)))
    first = next(iter(view.symptoms), None)
    if first is None:
        return "", ""
    return first.symptom.title, first.matches[0].id if first.matches else ""


def main(words: str) -> None:
    chosen = [one for one in MEMBERS if words in f"{one.family}: {one.name}"]
    alike = 0
    for one in chosen:
        title, page = played(one)
        right = all(word in title for word in one.on_server or one.says) and one.guide in ("", page)
        alike += right
        if not right:
            print(f"{one.family}: {one.name}: {page}: {title}\n  in memory: {lines(one)[0]}")
    print(f"{alike} of {len(chosen)} members are told on a real API server as in memory")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
