"""How the API server is asked: transport, reads, the one door for writing, exec, port-forward and
logs. Keeps no state of a cluster."""
