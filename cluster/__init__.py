"""Live state of one cluster: reading, watching, health, and the one door for writing. Knows nothing
of the other folders."""
