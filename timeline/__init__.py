"""The record of an incident: journal, evidence, redaction, exports. Imports nothing else of the
project.

What others use:

- `timeline.entry`: `Entry` (one recorded line), `Draft` (what callers give), `ObjectRef`, `Capture`
  (bytes seen), the kinds.
- `timeline.journal.journal`: `Journal.create(directory, title)`, `.open(path)`,
  `.open_read_only(path)`;
  `append`, `submit`,
  `revise`, `purge_evidence`, `entries`, `latest`, `unfinished`, `search`, `evidence`, `head`,
  `health`, `verify`, `bind`,
  `close`; `Origin`, `Health`, `JournalError`.
- `timeline.journal.index`: `list_incidents`, `find_incident`, `find_resumable` over a directory.
- `timeline.note`: `parse_note` for quick capture.
- `timeline.redaction.redact`: `Redactor`; `timeline.redaction.clean`: `Clean`, the rule for text
  from outside, which callers hand in.
- `timeline.export`: `write_draft` (Markdown, keeps edits), `to_markdown`, `to_jsonl`,
  `import_jsonl`, `to_json`, `to_csv`, `to_html`,
  `find_anchor` (the head that an export names, for `Journal.verify`).
- `timeline.handoff`: `handoff`; `timeline.journal.salvage`: `salvage`.

A damaged or full disk never goes unsaid: look at `Journal.health` before anything that changes the
cluster.
"""
