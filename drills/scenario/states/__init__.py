"""The states that a scenario puts pods, nodes and controllers into, one function each, by name.
They are laid over what the controllers made: a container that crashes, a node that is silent and
what kubelet, node controller and scheduler wrote about it are the fault itself, which no
controller brings about. Pods that take the place of others come from the controllers."""
