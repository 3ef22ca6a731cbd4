"""What happens in pods: the stand-in for kubelets, and what containers answer (exec, logs, network,
statistics). Nothing here decides which pods exist; that is for controllers and scenarios."""
