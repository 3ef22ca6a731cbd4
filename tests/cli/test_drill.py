"""A drill that is played with the screens."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from cli.drill import follow_by_hand


class Incident:
    """An investigation of which only the record matters."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.listeners: list[Callable[[Any], None]] = []

    def entries(self) -> list[Any]:
        return self.rows

    def subscribe(self, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    def write(self, kind: str, step: str, **data: Any) -> None:
        entry = SimpleNamespace(id=str(len(self.rows)), kind=kind, step_id=step, data=data)
        self.rows.append(entry)

    def show(self) -> None:
        view = SimpleNamespace(record=SimpleNamespace(entries=len(self.rows)))
        for listener in self.listeners:
            listener(view)


def test_the_drill_gets_each_change_by_hand_once_and_no_earlier_one() -> None:
    incident, made = Incident(), list[str]()
    follow_by_hand(cast(Any, incident), made.append)
    incident.write("action-result", "of-an-earlier-session", by_hand=True)
    incident.show()
    incident.write("action-result", "through-the-gate")
    incident.write("step-result", "looked-at")
    incident.write("action-intent", "restart", by_hand=True)
    incident.write("action-result", "restart", by_hand=True)
    for _ in range(3):
        incident.show()
    assert made == ["restart"]
