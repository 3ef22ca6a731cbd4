"""What every test may ask for: the rungs."""

from __future__ import annotations

from tests.rungs.fixtures import control_plane, drill_cluster, nodes_lab, rung, workloads

__all__ = ["control_plane", "drill_cluster", "nodes_lab", "rung", "workloads"]
