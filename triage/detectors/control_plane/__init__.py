"""Detectors that look at the control plane and at the cluster's own services, such as DNS."""
