"""Restore keys of a Secret from a file of the engineer. Values are sent and never shown, stored or
logged; those in the cluster are never read."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, namespaced, text
from actions.plan import Change, Sealed, Target
from actions.targets import path_of, read, shown_state
from cluster.api.mode import MERGE_PATCH
from cluster.kube.managed_fields import key_names
from cluster.kube.objects import Ref

MOST_BYTES = 1 << 20
"""The limit of a Secret (core/v1 MaxSecretSize)."""


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref = Ref("Secret", *values["secret"])
    data = _read_file(Path(values["file"]), ref)
    wanted = [each.strip() for each in values["keys"].split(",") if each.strip()]
    if not wanted:
        raise CannotPlan("Which keys? Give their names, separated by commas.")
    if missing := [key for key in wanted if key not in data]:
        raise CannotPlan(f"The file has no key {', '.join(missing)}.")
    if empty := [key for key in wanted if not data[key]]:
        raise CannotPlan(f"The file has no value for {', '.join(empty)}.")
    found = await read(context, ref)
    meta = found["metadata"]
    trees = [each.get("fieldsV1") or {} for each in meta.get("managedFields") or ()]
    there = key_names(trees)
    body = Sealed(
        {
            "metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
            "data": {key: data[key] for key in wanted},
        }
    )
    names = ", ".join(wanted)
    kubectl = f"kubectl patch secret -n {ref.namespace} {ref.name} --patch-file FILE   # {names}"
    summary = f"{ref}: {names} from {values['file']} (values not shown)"
    request = Change("PATCH", path_of(ref), body, MERGE_PATCH, kubectl, summary)
    target = Target(
        ref,
        path_of(ref),
        str(meta["uid"]),
        str(meta["resourceVersion"]),
        request,
        state=shown_state(found),
    )
    replaced = [key for key in wanted if key in there]
    warnings = [f"{', '.join(replaced)} is there already and is overwritten"] if replaced else []
    if not trees:
        warnings.append("which keys the Secret has is not known: it has no managedFields")
    return Proposal(
        ref,
        (target,),
        touches=("Volumes show it within about a minute; variables only after a restart.",),
        warnings=tuple(warnings),
    )


def _read_file(path: Path, ref: Ref) -> dict[str, str]:
    """Key -> base64 of a Secret manifest (YAML or JSON) or of KEY=VALUE lines. Raises `CannotPlan`
    without any of the contents."""
    try:
        about = path.expanduser().stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
            raise CannotPlan(f"{path} is not a file of at most {MOST_BYTES:,} bytes.")
        given = path.expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotPlan(f"{path} cannot be read: {type(error).__name__}.") from None
    try:
        document = yaml.load(given, yaml.BaseLoader)  # noqa: S506  # makes text alone, no objects
    except (yaml.YAMLError, RecursionError):
        document = None
    if isinstance(document, dict) and document.get("kind") == "Secret":
        meta = _texts(document, "metadata")
        there = Ref("Secret", meta.get("namespace") or ref.namespace, meta.get("name") or ref.name)
        if there != ref:
            raise CannotPlan(f"The file holds {there}, not {ref}.")
        plain = {key: _encoded(value) for key, value in _texts(document, "stringData").items()}
        encoded = _texts(document, "data").items()
        return {key: _checked(key, value) for key, value in encoded} | plain
    lines = [line for line in given.splitlines() if line.strip() and not line.startswith("#")]
    pairs = [line.partition("=") for line in lines]
    if not pairs or not all(equals for _, equals, _ in pairs):
        raise CannotPlan(f"{path} is neither a Secret manifest nor lines KEY=VALUE.")
    return {key.strip(): _encoded(value) for key, _, value in pairs}


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str]:
    """The texts of a map in a manifest; as they stand there, so that 0123 stays 0123."""
    found = document.get(name)
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _checked(key: str, value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise CannotPlan(f"The value of {key} in the file is not base64.") from None
    return value


ACTIONS = (
    Action(
        "restore-secret-keys",
        "Set keys of a Secret from a file; no value is shown or stored.",
        (
            Parameter("secret", "NAMESPACE/NAME of the Secret", namespaced),
            Parameter("file", "path of a Secret manifest or of KEY=VALUE lines", text),
            Parameter("keys", "names of the keys, separated by commas", text),
        ),
        "Pods read the new values when they start or within a minute.",
        "none: the previous values are never read",
        _build,
        fits=offered("Secret", by_name("secret")),
    ),
)
