"""States that a scenario gives to pods, nodes and controllers, one function each, by name.

They overwrite what the controllers made, because no controller causes the fault itself: a container
that crashes, a silent node, and the status that kubelet, node controller and scheduler write about
it. Replacement pods come from the controllers.
"""
