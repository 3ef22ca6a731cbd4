"""Whether expanded objects hang together as those of a real cluster do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from drills.api.kinds import KindTable
from drills.api.objects import Obj, dig, parse_time
from drills.api.selectors import matches_selector

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$")


def faults_of(objects: list[Obj], now: datetime) -> Iterator[str]:
    """One sentence for each thing that a real API server or its controllers would not have left
    so."""
    kinds = KindTable()
    known = {
        (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in objects
    }
    uids = {o["metadata"]["uid"]: o for o in objects}
    if len(uids) != len(objects):
        yield "a uid is used twice"
    definitions = {
        o["spec"]["names"]["kind"] for o in objects if o["kind"] == "CustomResourceDefinition"
    }
    addresses: dict[str, str] = {}
    for o in objects:
        meta = o["metadata"]
        label = f"{o['kind']} {meta.get('namespace', '')}/{meta['name']}"
        kind = kinds.by_object(o["apiVersion"], o["kind"])
        if kind is None and o["kind"] not in definitions:
            yield f"{label}: unknown kind {o['apiVersion']}"
        if kind is not None and kind.namespaced != ("namespace" in meta):
            yield f"{label}: namespace does not fit the scope"
        if "namespace" in meta and ("Namespace", "", meta["namespace"]) not in known:
            yield f"{label}: its namespace does not exist"
        if not _NAME.match(meta["name"]) or len(meta["name"]) > 253:
            yield f"{label}: not a valid name"
        if parse_time(meta["creationTimestamp"]) > now + timedelta(seconds=1):
            yield f"{label}: created in the future"
        if (
            not meta.get("managedFields") and o["kind"] != "ServiceAccount"
        ):  # a plain account has no field to own
            yield f"{label}: no managedFields"
        for entry in meta.get("managedFields", []):
            if parse_time(entry["time"]) > now + timedelta(seconds=1):
                yield f"{label}: field manager {entry['manager']} writes in the future"
        for reference in meta.get("ownerReferences") or []:
            owner = uids.get(reference["uid"])
            if owner is None or (owner["kind"], owner["metadata"]["name"]) != (
                reference["kind"],
                reference["name"],
            ):
                yield f"{label}: its owner {reference['kind']} {reference['name']} does not exist; it would be collected"
        if o["kind"] == "Pod":
            yield from _pod(o, label, known, addresses)
        if o["kind"] in {
            "Deployment",
            "ReplicaSet",
            "DaemonSet",
            "StatefulSet",
        } and not matches_selector(
            o["spec"]["selector"], o["spec"]["template"]["metadata"]["labels"]
        ):
            yield f"{label}: the selector does not match the template"
        if o["kind"] == "Service" and o["spec"].get("clusterIP") not in {None, "None"}:
            address = o["spec"]["clusterIP"]
            if (
                ipaddress.ip_address(address) not in ipaddress.ip_network("10.96.0.0/16")
                or address in addresses
            ):
                yield f"{label}: {address} is outside of the range or used twice"
            addresses[address] = label


def _pod(
    o: Obj, label: str, known: dict[tuple[str, str, str], Obj], addresses: dict[str, str]
) -> Iterator[str]:
    node = o["spec"].get("nodeName")
    if node and ("Node", "", node) not in known:
        yield f"{label}: its node {node} does not exist"
    if not o["spec"]["containers"] or not all(
        c.get("name") and c.get("image") for c in o["spec"]["containers"]
    ):
        yield f"{label}: a container lacks its name or image"
    if dig(o, "status", "phase") not in {"Running", "Pending", "Succeeded", "Failed"}:
        yield f"{label}: no phase"
    address = dig(o, "status", "podIP")
    if address and not o["spec"].get("hostNetwork"):
        if not address.startswith("10.244.") or address in addresses:
            yield f"{label}: {address} is outside of the range or used twice by {addresses.get(address)}"
        addresses[address] = label
    names = {c["name"] for c in o["spec"]["containers"]}
    for status in dig(o, "status", "containerStatuses", default=[]):
        if status["name"] not in names:
            yield f"{label}: status of an unknown container {status['name']}"
        if len(status["state"]) != 1:
            yield f"{label}: container {status['name']} is in {len(status['state'])} states"
