"""The record of an incident: journal, evidence, redaction, exports. Imports nothing else of the
project.

`timeline.journal.journal.Journal` writes and reads one record, `timeline.entry` holds its values,
`timeline.export` writes drafts and documents. A damaged or full disk is always reported: read
`Journal.health` before anything that changes the cluster.
"""
