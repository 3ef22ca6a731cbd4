"""Detectors by the objects that they examine: each turns an object, or the whole cluster, into
findings. They do not group, rank or print."""
