"""Whether the API server answers, and which hop on the way to it fails. Knows no objects."""
