"""Detectors by what they look at: each turns an object, or the whole cluster, into findings. They
never group, rank or print."""
