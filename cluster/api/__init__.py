"""Requests to the API server: transport, reads, writes, exec, port-forward and logs. Keeps no state
of a cluster."""
