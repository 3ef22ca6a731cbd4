"""Detectors that look at nodes, one by one and together."""
