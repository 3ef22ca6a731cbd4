"""What changed and who did it, from objects, events and findings. Judges no change."""
