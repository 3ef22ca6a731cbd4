"""Changes to the cluster: plans, the one gate that they pass, and one file for each action. Uses
the cluster and nothing above it."""
