"""Whether the API server answers."""
