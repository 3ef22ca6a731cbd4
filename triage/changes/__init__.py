"""What changed and who did it, told from objects, events and findings. Judges no change as good or
bad."""
