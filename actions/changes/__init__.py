"""One file for each action or pair of actions: finds the targets and registers itself as
`ACTIONS`."""
