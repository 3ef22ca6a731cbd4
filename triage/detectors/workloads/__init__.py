"""Detectors that look at controllers of pods: Deployments, Jobs, autoscalers and their like."""
