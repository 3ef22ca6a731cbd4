"""A drill as data and its expansion into Kubernetes objects: what people and their tools wrote,
then the controllers on simulated time, then the fault. Always gives the same objects. Serves no
requests."""
