"""Detectors for nodes, one by one and together."""
