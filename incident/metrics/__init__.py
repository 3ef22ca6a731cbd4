"""Reads metrics of kubelets, kube-proxy, CoreDNS and the API server. Detectors judge them."""
