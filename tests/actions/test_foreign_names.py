"""Names and texts of objects in the commands and requests of actions: quoted for a shell, and never
part of another path. Values of ConfigMaps are read as little as those of Secrets."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions import catalogue
from actions.plan import Outcome
from actions.targets import kubectl_name
from cluster.kube.objects import Deployment, Pod, Ref
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import deployment
from text.object_page import kubectl_lines

DIGEST = "sha256:" + "a" * 64


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_name_is_one_word_of_a_shell(namespace: str, name: str) -> None:
    assert shlex.split(kubectl_name(Ref("Deployment", namespace, name))) == [
        f"deployment/{name}",
        "-n",
        namespace,
    ]


async def test_an_image_of_others_does_not_become_a_command() -> None:
    """The API server takes any text without blanks at its ends as an image."""
    found: dict[str, Any] = deployment()
    container = found["spec"]["template"]["spec"]["containers"][1]
    container["image"] = "x;$(reboot)`reboot`"
    api = FakeApi([found])
    arguments = {
        "workload": "deployment/shop/web",
        "container": container["name"],
        "image": f"a;reboot@{DIGEST}",
    }
    plan = await catalogue.plan("set-image", api.context(), arguments)
    assert plan.undo is not None
    for command, image in (
        (plan.change.kubectl, arguments["image"]),
        (plan.undo.kubectl, container["image"]),
    ):
        assert shlex.split(command)[-1] == f"{container['name']}={image}"


@pytest.mark.parametrize("item", [Pod(), Deployment()])
def test_commands_of_the_object_page_are_quoted(item: Any) -> None:
    lines = list(kubectl_lines(Ref("Pod", "a b", "x;reboot"), item))
    commands = [line.text for line in lines if "x;reboot" in line.text]
    assert commands
    for command in commands:
        assert any(word.endswith("x;reboot") for word in shlex.split(command))
        assert "a b" in shlex.split(command)


@pytest.mark.parametrize("name", ["..", "x?y", "x#y", "a b", "x%2fy", ".", "x;y"])
@pytest.mark.parametrize("form", ["pod/shop/{}", "pod/{}/web", "clusterrole/{}"])
async def test_an_object_is_named_by_a_name(name: str, form: str) -> None:
    arguments = {"object": form.format(name), "label": "a=b"}
    plan = await catalogue.plan("label", FakeApi().context(), arguments)
    assert "cannot be used" in plan.refused


async def test_a_role_has_colons_in_its_name() -> None:
    arguments = {"object": "clusterrole/system:Auth_x.y", "label": "a=b"}
    plan = await catalogue.plan("label", FakeApi().context(), arguments)
    assert "does not exist" in plan.refused


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_a_label_of_what_holds_values_is_changed_without_reading_them(kind: str) -> None:
    metadata = {"name": "settings", "namespace": "shop", "labels": {"app": "web"}}
    api, journal = (
        FakeApi([{"kind": kind, "metadata": metadata, "data": {"k": "hunter2"}}]),
        FakeJournal(),
    )
    arguments = {"object": f"{kind.lower()}/shop/settings", "label": "app=shop"}
    plan = await catalogue.plan("label", api.context(), arguments)
    assert not plan.refused
    result = await catalogue.run(plan, plan.confirmation, api.context(), journal)
    assert result.outcome is Outcome.DONE, result.sentence
    assert "hunter2" not in repr((plan, result))
