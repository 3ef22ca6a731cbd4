"""What is wrong now, since when, what it shares, which runbook fits, and why: the lines of the
first screen and of the triage. What one object or one runbook looks like stands a folder up."""
