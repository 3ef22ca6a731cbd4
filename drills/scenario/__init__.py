"""A drill as data and its expansion into Kubernetes objects, the same every time: what people and
their tools wrote, then the controllers on simulated time, then the fault. Nothing here serves a
request."""
