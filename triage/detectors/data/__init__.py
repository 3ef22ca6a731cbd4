"""Detectors that look at configuration, Secrets (names and keys only), volumes and lost objects."""
