"""Benchmarks: ratios to kubectl or to an earlier commit, never a test with a wall clock."""
