"""Detectors that look at pods and their containers. What concerns the node beneath them stands in
`nodes`."""
