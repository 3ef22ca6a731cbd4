"""Active measurements: plans, probe pods, result classes and inference. Changes only what it
creates and removes again."""
