"""Detectors for the control plane and the cluster's own services, such as DNS."""
