"""A probe is registered by its own file."""

from __future__ import annotations

import pkgutil

from probes import catalogue, questions
from probes.definition import Probe

SHARED = {"api_server_paths", "front_door"}
"""Modules that measure for several questions."""


def test_every_question_registers_itself() -> None:
    modules = {each.name for each in pkgutil.iter_modules(questions.__path__)} - SHARED
    assert {name.replace("_", "-") for name in modules} == set(catalogue.names())
    assert all(isinstance(probe, Probe) for probe in catalogue.PROBES.values())


def test_questions_and_parameters_say_what_they_mean() -> None:
    for probe in catalogue.PROBES.values():
        assert probe.question.endswith("?"), probe.name
        assert all(probe.parameters.values()), probe.name
