"""Detectors for measurements instead of objects. Each finding gives the age of its sample."""
