"""Kubernetes objects as plain JSON dictionaries: paths, times, durations, quantities, references.

Times on the wire are RFC 3339 in UTC; durations in scenario files are written `-8m`, `90s`,
`2h30m`, `3d`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

Obj = dict[str, Any]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
ALPHANUMERIC = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names: k8s.io/apimachinery/pkg/util/rand."""


def parse_duration(text: str | int | float) -> timedelta:
    """`-8m`, `1h30m`, `45s`, `2d` or a number of seconds. Raises ValueError for anything else."""
    if isinstance(text, (int, float)):
        return timedelta(seconds=text)
    body = text.strip()
    sign = -1.0 if body.startswith("-") else 1.0
    body = body.lstrip("+-")
    if body in {"0", ""}:
        return timedelta(0)
    parts = _DURATION.findall(body)
    if not parts or "".join(n + u for n, u in parts) != body:
        raise ValueError(f"{text!r} is not a duration such as -8m, 90s or 1h30m")
    return timedelta(seconds=sign * sum(float(n) * _SECONDS[u] for n, u in parts))


def words(text: str) -> tuple[str, ...]:
    """The words of a text, for long lists of names."""
    return tuple(text.split())


def rfc3339(moment: datetime) -> str:
    """metav1.Time: seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """metav1.MicroTime: microseconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """RFC 3339 with or without fraction. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def created_at(obj: Obj) -> datetime:
    return parse_time(obj["metadata"]["creationTimestamp"])


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """The value at a path of keys and list positions, or `default` where the path ends early."""
    here = obj
    for step in path:
        if isinstance(step, int):
            if not isinstance(here, list) or not -len(here) <= step < len(here):
                return default
        elif not isinstance(here, dict) or step not in here:
            return default
        here = here[step]
    return default if here is None else here


def digest(*parts: object, size: int = 32) -> str:
    """Hex text that depends only on the parts, so that a scenario always expands to the same
    objects."""
    out = hashlib.sha256("\x1f".join(str(p) for p in parts).encode()).hexdigest()
    while len(out) < size:
        out += hashlib.sha256(out.encode()).hexdigest()
    return out[:size]


def stable_uid(*parts: object) -> str:
    h = digest("uid", *parts)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}"


def stable_suffix(*parts: object, size: int = 5) -> str:
    """The random-looking tail of a generated name."""
    number = int(digest("suffix", *parts), 16)
    out = ""
    for _ in range(size):
        number, at = divmod(number, len(ALPHANUMERIC))
        out += ALPHANUMERIC[at]
    return out


def stable_fraction(*parts: object) -> float:
    """A number in [0, 1) that depends only on the parts."""
    return int(digest("fraction", *parts, size=12), 16) / 16**12


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference that controls an object."""
    references = obj.get("metadata", {}).get("ownerReferences") or []
    return next((ref for ref in references if ref.get("controller")), None)


def owner_reference(owner: Obj, **flags: bool) -> Obj:
    """A reference for `metadata.ownerReferences`; `flags` are controller, blockOwnerDeletion."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        **flags,
    }


def controlled_by(owner: Obj) -> list[Obj]:
    """`metadata.ownerReferences` of an object that `owner` made and controls."""
    return [owner_reference(owner, controller=True, blockOwnerDeletion=True)]


def new_condition(
    kind: str, value: bool | str, at: str, reason: str = "", message: str = "", **more: Any
) -> Obj:
    """A condition for `status.conditions`; `at` is RFC 3339; an empty reason or message is left
    out, `more` are further fields."""
    status = value if isinstance(value, str) else str(value)
    out: Obj = {"type": kind, "status": status, "lastTransitionTime": at, **more}
    out |= {"reason": reason} if reason else {}
    return out | ({"message": message} if message else {})


def condition(obj: Obj | None, kind: str) -> Obj | None:
    conditions = dig(obj, "status", "conditions", default=[])
    return next((c for c in conditions if c.get("type") == kind), None)


def holds(obj: Obj | None, kind: str) -> bool:
    """Whether a condition is True."""
    return bool(dig(condition(obj, kind), "status") == "True")


def reports(node: Obj | None) -> bool:
    """Whether a node's kubelet still reports: Ready is True or False, not Unknown."""
    return bool(dig(condition(node, "Ready"), "status", default="Unknown") != "Unknown")


def is_active(pod: Obj) -> bool:
    """Neither ended nor being deleted: the pods that controllers count."""
    ended = dig(pod, "status", "phase") in {"Succeeded", "Failed"}
    return not ended and not pod["metadata"].get("deletionTimestamp")


def container_ports(pod: Obj) -> list[Obj]:
    return [p for c in pod["spec"]["containers"] for p in c.get("ports") or []]


def target_port(pod: Obj, service_port: Obj) -> int:
    """The number behind a Service's port on one pod; a name that no container has gives the port
    itself."""
    target = service_port.get("targetPort") or service_port["port"]
    named = (p["containerPort"] for p in container_ports(pod) if p.get("name") == target)
    return int(next(named, service_port["port"])) if isinstance(target, str) else int(target)


def zone_of(node: Obj | None) -> str:
    return str(dig(node, "metadata", "labels", "topology.kubernetes.io/zone", default=""))


def internal_ip(node: Obj | None, default: str = "") -> str:
    addresses = dig(node, "status", "addresses", default=[])
    return next((str(a["address"]) for a in addresses if a["type"] == "InternalIP"), default)


_QUANTITY = re.compile(r"^([+-]?[0-9.]+)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi|n|u)?$")
_SCALE = {None: 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_SCALE |= {unit: 10.0 ** (6 + 3 * n) for n, unit in enumerate("MGTP")}
_SCALE |= {f"{unit}i": 2.0 ** (10 + 10 * n) for n, unit in enumerate("KMGTP")}


def quantity(text: str | int | float) -> float:
    """A resource.Quantity as a number in its base unit (cores, bytes). Raises ValueError."""
    if isinstance(text, (int, float)):
        return float(text)
    match = _QUANTITY.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity such as 250m or 64Mi")
    return float(match.group(1)) * _SCALE[match.group(2)]
