"""Changes to the cluster: plans, the one gate that they pass, and one file an action. Knows the
cluster and nothing above it."""
