"""The SQLite file of an incident: append, verify, salvage, evidence. Knows no exports."""
