"""Detectors for pods and their containers; `nodes` has those for the node below."""
