"""What is known of the cluster now: list, watch, store and how fresh each kind is. Judges nothing;
triage does."""
