"""Probe pods: permission, creation, waiting and removal. The only part of probes that writes."""
