"""Scripts that measure inside a pod, and their line protocol. Does no input or output itself."""
