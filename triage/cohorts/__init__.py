"""What failing objects share and healthy ones do not. Statistics only, without rules."""
