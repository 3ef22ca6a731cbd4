"""Detectors that look at measurements instead of objects. Each finding names the age of its
sample."""
