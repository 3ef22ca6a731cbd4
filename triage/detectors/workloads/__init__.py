"""Detectors for controllers of pods: Deployments, Jobs, autoscalers and the like."""
