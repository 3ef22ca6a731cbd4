"""From the live state to findings and symptoms: pure and incremental. Fetches nothing."""
