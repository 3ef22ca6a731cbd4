"""Runbooks: the library, its loader and lint, the matcher, and steps as pure functions. Fetches and
changes nothing."""
