"""What triage is made of: findings, rules, messages, measurements and the view that a detector
gets. Values and pure functions; detects nothing itself."""
