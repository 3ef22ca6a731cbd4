"""The current objects of a cluster: list, watch, store, and the freshness of each kind. Makes no
findings; triage does."""
