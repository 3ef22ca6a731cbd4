"""Pods of ours in the cluster: permission, creation, waiting and removal. The only room of probes
that writes."""
