"""The one engine that steps through a runbook: next step, checks, probes, actions, answers. The
faces only ask and draw."""
