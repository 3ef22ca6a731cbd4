"""A probe is registered by its own file."""

from __future__ import annotations

import importlib
import pkgutil

from probes import catalogue, questions
from probes.definition import Probe


def test_every_question_registers_itself() -> None:
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.iter_modules(questions.__path__, "probes.questions.")
    ]
    named = {module.NAME for module in modules if hasattr(module, "NAME")}
    assert named == set(catalogue.names())
    assert all(isinstance(m.PROBE, Probe) for m in modules if hasattr(m, "NAME"))


def test_questions_and_parameters_say_what_they_mean() -> None:
    for probe in catalogue.PROBES.values():
        assert probe.question.endswith("?"), probe.name
        assert all(probe.parameters.values()), probe.name
