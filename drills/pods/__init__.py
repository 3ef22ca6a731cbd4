"""The stand-in for kubelets, and what containers answer (exec, logs, network, statistics).
Controllers and scenarios decide which pods exist."""
