"""The pods that a ResourceQuota counts as used. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from drills.api.objects import Obj, dig, is_active
from drills.controllers.status_sync import Of


class Quotas:
    """Follows the number of pods from the first call on: a scenario says what is used at its
    beginning, also by pods that it does not have."""

    def __init__(self) -> None:
        self._more: dict[str, int] = {}
        """What a quota counts beyond the pods that are there, by uid."""

    def status_updates(self, of: Of) -> Iterator[tuple[Obj, Obj]]:
        """(quota, top-level fields to replace) for each quota whose count no longer fits."""
        quotas = [one for one in of("ResourceQuota") if dig(one, "status", "used", "pods")]
        if not quotas:
            return
        pods = Counter(pod["metadata"]["namespace"] for pod in of("Pod") if is_active(pod))
        for quota in quotas:
            meta, status = quota["metadata"], quota["status"]
            there, used = pods[meta["namespace"]], int(status["used"]["pods"])
            more = self._more.setdefault(meta["uid"], used - there)
            most = int(dig(status, "hard", "pods") or used)
            now = str(min(max(there + more, 0), most))
            if now != status["used"]["pods"]:
                yield quota, {"status": {**status, "used": {**status["used"], "pods": now}}}
