"""The SQLite file of an incident: append, verify, salvage, evidence. Knows nothing of how it is
exported."""
