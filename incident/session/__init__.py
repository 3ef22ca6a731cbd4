"""One live investigation: what its parts share (`state`), how it connects and opens its record
(`connecting`), the views that it sends (`views`), and the interface of the faces (`investigation`).

What an investigation reads, steps through or records lives in the rooms beside this one.
"""

from __future__ import annotations

from incident.session.investigation import LiveInvestigation

__all__ = ["LiveInvestigation"]
