"""One investigation: joins live state, triage, runbooks, probes, actions and the record behind
`incident.api`. The faces talk to it alone."""
