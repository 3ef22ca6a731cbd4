"""Live state of one cluster: reading, watching, health, and the one module that sends writes. Knows
nothing of the other folders."""
