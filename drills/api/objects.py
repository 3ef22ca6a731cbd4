"""Small vocabulary for Kubernetes objects held as plain JSON dictionaries.

Times on the wire are RFC 3339 in UTC; durations in scenario files are written `-8m`, `90s`,
`2h30m`, `3d`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Obj = dict[str, Any]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ALPHANUM = "bcdfghjklmnpqrstvwxz2456789"  # the alphabet of k8s.io/apimachinery/pkg/util/rand


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
    return timedelta(seconds=sign * sum(float(n) * _UNIT[u] for n, u in parts))


def rfc3339(moment: datetime) -> str:
    """metav1.Time: seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """metav1.MicroTime: microseconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """RFC 3339 with or without fraction. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """The value at a path of keys and list positions, or `default` where the path ends early."""
    here = obj
    for step in path:
        if isinstance(step, int):
            if not isinstance(here, list) or not -len(here) <= step < len(here):
                return default
            here = here[step]
        else:
            if not isinstance(here, dict) or step not in here:
                return default
            here = here[step]
    return default if here is None else here


def digest(*parts: object, size: int = 32) -> str:
    """Hex text that depends on the parts alone, so that a scenario expands the same way every
    time."""
    text = "\x1f".join(str(p) for p in parts)
    out = hashlib.sha256(text.encode()).hexdigest()
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
        number, at = divmod(number, len(_ALPHANUM))
        out += _ALPHANUM[at]
    return out


def stable_fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return int(digest("fraction", *parts, size=12), 16) / 16**12


def name_of(obj: Obj) -> str:
    return str(obj.get("metadata", {}).get("name", ""))


def namespace_of(obj: Obj) -> str:
    return str(obj.get("metadata", {}).get("namespace", "") or "")


def controller_of(obj: Obj) -> Obj | None:
    for ref in obj.get("metadata", {}).get("ownerReferences") or []:
        if ref.get("controller"):
            return dict(ref)
    return None


def conditions(obj: Obj) -> Iterator[Obj]:
    yield from dig(obj, "status", "conditions", default=[])


def condition(obj: Obj, kind: str) -> Obj | None:
    return next((c for c in conditions(obj) if c.get("type") == kind), None)


_QUANTITY = re.compile(r"^([+-]?[0-9.]+)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi|n|u)?$")
_SCALE = {
    None: 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}


def quantity(text: str | int | float) -> float:
    """A resource.Quantity as a number in its base unit (cores, bytes). Raises ValueError."""
    if isinstance(text, (int, float)):
        return float(text)
    match = _QUANTITY.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity such as 250m or 64Mi")
    return float(match.group(1)) * _SCALE[match.group(2)]
