"""Ranks runbooks by words and by evidence, each alone. Puts nothing together: the matcher does."""
