"""Configuration that is missing and volumes that are not attached or mounted, by the texts of the
kubelet and of the attach controller."""

from __future__ import annotations

import re
from typing import NamedTuple


class MissingConfig(NamedTuple):
    """A Secret or ConfigMap that is not there; `key` is empty when the whole object is missing."""

    kind: str
    namespace: str
    name: str
    key: str


_MISSING = re.compile(r"\b(secret|configmap)s? \"?([a-z0-9./-]+)\"? not found", re.IGNORECASE)


_MISSING_KEY = re.compile(
    r"couldn't find key \"?([^\s\"]+)\"? in (Secret|ConfigMap) \"?([a-z0-9.-]+)/([a-z0-9.-]+)",
    re.IGNORECASE,
)


_NO_VOLUME_KEY = re.compile(r"references non-existent (secret|config) key: ?(\S+)", re.IGNORECASE)


_VOLUME = re.compile(r"for volume \"([^\"]+)\"")


def missing_config(message: str, namespace: str) -> MissingConfig | None:
    """The Secret, ConfigMap or key that a kubelet message misses; `namespace` is the pod's.

    For a key that a volume names, `name` is empty: the message gives the volume only (see
    `volume_name`).
    """
    found = _MISSING_KEY.search(message)
    if found:
        return MissingConfig(_kind(found[2]), found[3], found[4], found[1])
    found = _MISSING.search(message)
    if found:
        where, _, name = found[2].rpartition("/")
        return MissingConfig(_kind(found[1]), where or namespace, name, "")
    found = _NO_VOLUME_KEY.search(message)
    if found:
        return MissingConfig(_kind(found[1]), namespace, "", found[2].strip(".,\"'"))
    return None


def volume_name(message: str) -> str:
    found = _VOLUME.search(message)
    return found[1] if found else ""


def _kind(text: str) -> str:
    return "Secret" if text.lower().startswith("secret") else "ConfigMap"


def volume_cause(reason: str, message: str) -> str:
    """Cause of FailedMount or FailedAttachVolume: multi-attach, attach-limit, attach, timeout,
    no-space, mount or other."""
    lowered = message.lower()
    if (
        "multi-attach" in lowered
        or "already exclusively attached" in lowered
        or "already attached to" in lowered
        or "already used by" in lowered
    ):
        return "multi-attach"
    if "maximum number" in lowered or "attachment limit" in lowered or "max volume" in lowered:
        return "attach-limit"
    if (
        reason == "FailedAttachVolume"
        or "attachvolume" in lowered
        or "waitforattach" in lowered
        or "failed to attach" in lowered
    ):
        return "attach"
    if "not registered" in lowered:
        return "other"
    if (
        "unable to attach or mount" in lowered
        or "timed out waiting for the condition" in lowered
        or "deadline" in lowered
    ):
        return "timeout"
    if "mountdevice" in lowered or "mount failed" in lowered or "setup failed" in lowered:
        return "mount"
    return "other"


_MOUNT = (
    (
        "in-use",
        "it is still in use",
        r"still (?:being used|in use)|(?:is|device or resource) busy|already mounted",
    ),
    (
        "pending",
        "an earlier attempt of its driver has not ended",
        r"operation with the given volume id \S+ already exists",
    ),
    (
        "permission",
        "permission is denied",
        r"permission denied|access denied|operation not permitted|not authorized|unauthorized",
    ),
    (
        "file-system",
        "its file system cannot be mounted",
        r"wrong fs type|bad superblock|unknown filesystem|fsck|structure needs cleaning"
        r"|mount\.<type>|failed to find.{0,20}mkfs|can't read superblock",
    ),
    (
        "unreachable",
        "its server cannot be reached",
        r"connection timed out|connection refused|no route to host|not known|failed to resolve"
        r"|i/o timeout|host is down|network is unreachable",
    ),
    (
        "missing",
        "what it names does not exist",
        r"no such file or directory|does not exist|not found|no such device|type check failed"
        r"|not a directory",
    ),
)


def mount_problem(message: str) -> tuple[str, str]:
    """(in-use, pending, permission, file-system, unreachable, missing or "", the same in words) of
    a mount that fails."""
    for name, words, pattern in _MOUNT:
        if re.search(pattern, message, re.IGNORECASE):
            return name, words
    return "", ""
