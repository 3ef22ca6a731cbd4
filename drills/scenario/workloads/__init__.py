"""Controllers with the pods that they made, expanded from the short form of a scenario, one module
a kind. What goes wrong with them afterwards is in `states`."""
