"""Measurements fetched from kubelets, kube-proxy, CoreDNS and the API server. Detectors judge them,
not this room."""
