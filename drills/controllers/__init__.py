"""Stand-ins for kube-controller-manager and kube-scheduler, and the events that they record.
Nothing here answers requests or knows what runs inside a container."""
