"""The states that a scenario puts pods and nodes into, one function each, by name. No new objects
other than events and replacement pods are made here."""
