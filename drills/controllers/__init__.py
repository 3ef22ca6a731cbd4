"""Stand-ins for kube-controller-manager and kube-scheduler, and the Events that they record.
Answers no requests and knows no containers."""
