"""Whether the API server answers, and which network hop to it fails. Knows no objects."""
