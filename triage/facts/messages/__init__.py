"""Parses messages of the scheduler, the kubelet, the runtimes and the controllers. Pure functions
of one message, without objects or time.

Formats are those of Kubernetes 1.20 to 1.35 (kube-scheduler FitError, kubelet events, containerd
and CRI-O errors, admission).
"""
