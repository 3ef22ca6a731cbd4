"""Holds the evidence of one symptom against the conditions of one runbook: the score, and what is
for it, missing and against it. Ranks nothing."""
