"""Missing keys of Secrets that pods refer to, from managedFields, which name keys and writers.
Reads no Secret value.

Running pods survive a controller that empties Secrets; the next restart fails. Without
managedFields the keys are not known.
"""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kube.managed_fields import data_keys, last_write
from cluster.kube.objects import Container, PartialObject, Pod, Ref
from cluster.live.store import Store
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    wanted = arguments.get("namespace", "")
    rows, conclusions = [], []
    writers: dict[str, list[str]] = {}
    for (namespace, name), (keys, users) in sorted(references(context.store, wanted).items()):
        ref = Ref("Secret", namespace, name)
        row: PartialObject | None = context.store.get("Secret", namespace, name)
        by = ", ".join(sorted(users)[:3]) + (" …" if len(users) > 3 else "")
        if row is None:
            if "Secret" not in context.unavailable:
                rows.append(Row(ref, f"does not exist, needed by {by}", False, "exists"))
                claim = f"Secret {namespace}/{name} does not exist, but {by} needs it"
                following = "find out who deleted it or should create it"
                conclusions.append(
                    Conclusion(claim, Component("secret", f"{namespace}/{name}"), 0.85, following)
                )
            continue
        there = data_keys(row.metadata)
        if there is None:
            rows.append(Row(ref, "its keys are not known: no field manager", None))
            continue
        missing = sorted(keys - there)
        if missing or not there:
            last = last_write(row.metadata)
            who = (
                f", last written by {last.manager} at {last.time:%Y-%m-%d %H:%M} UTC"
                if last is not None and last.time
                else ""
            )
            seen = f"lacks {', '.join(missing)}" if missing else "has no keys at all"
            writer = last.manager if last is not None else "its writer"
            if last is not None:
                writers.setdefault(last.manager, []).append(f"{namespace}/{name}")
            rows.append(Row(ref, f"{seen}{who}", False, f"keys used by {by}"))
            conclusions.append(
                Conclusion(
                    f"Secret {namespace}/{name} {seen}, used by {by}{who}",
                    Component("secret", f"{namespace}/{name}"),
                    0.9 if missing else 0.75,
                    f"stop {writer} before it empties more, then restore the keys; restart "
                    "nothing until then",
                )
            )
        else:
            rows.append(Row(ref, f"{len(there)} keys", True, "all keys that are used"))
    for writer, names in sorted(writers.items()):
        if len(names) > 1:
            shown = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
            claim = (
                f"{writer} was the last to write to {len(names)} Secrets that lack keys now: "
                f"{shown}"
            )
            following = (
                f"stop {writer} before it empties more, then restore the keys; restart nothing "
                "until then"
            )
            conclusions.append(Conclusion(claim, Component("controller", writer), 0.95, following))
    return Findings(rows, conclusions)


def references(
    store: Store, namespace: str = ""
) -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """(namespace, Secret) -> (named keys, pods that refer to it); required references only."""
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}

    def refer(pod: Pod, name: str, key: str = "") -> None:
        keys, users = found.setdefault((pod.metadata.namespace, name), (set(), set()))
        users.add(f"pod {pod.metadata.name}")
        if key:
            keys.add(key)

    for pod in store.all("Pod", Pod):
        if (namespace and pod.metadata.namespace != namespace) or pod.status.phase in (
            "Succeeded",
            "Failed",
        ):
            continue
        for volume in pod.spec.volumes:
            if (
                volume.secret is not None
                and volume.secret.secret_name
                and not volume.secret.optional
            ):
                refer(pod, volume.secret.secret_name)
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            _of_container(pod, container, refer)
    return found


def _of_container(pod: Pod, container: Container, refer: object) -> None:
    assert callable(refer)
    for variable in container.env:
        source = variable.value_from.secret_key_ref if variable.value_from is not None else None
        if source is not None and source.name and not source.optional:
            refer(pod, source.name, source.key)
    for whole in container.env_from:
        if whole.secret_ref is not None and whole.secret_ref.name and not whole.secret_ref.optional:
            refer(pod, whole.secret_ref.name)


PROBE = read_only_probe(
    "secret-keys",
    "Does every Secret still have the keys that pods refer to?",
    {"namespace": "only this namespace"},
    look,
    kinds=("Secret", "Pod"),
    method="key names from managedFields (metadata only, values are never read): a key written "
    "without a field manager is not seen",
)
