"""Controllers and their pods, expanded from the short form of a scenario, one module a kind.
`states` holds their faults."""
