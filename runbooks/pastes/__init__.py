"""Parts of the reader of pastes: labels, and the lines that tell. Knows no runbook."""
