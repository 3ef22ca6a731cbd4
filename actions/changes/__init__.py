"""One file for each action or pair of actions: finds the targets, registers itself as `ACTIONS`."""
