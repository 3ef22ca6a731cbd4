"""The vocabulary of triage, one file for each room of detectors: every rule id, what it says, and
the facts its findings carry. Detects nothing."""
