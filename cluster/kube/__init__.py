"""What the Kubernetes API is: kinds, objects, quantities and text as values and pure functions. No
input or output, and nothing that knows a connection."""
