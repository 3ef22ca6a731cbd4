"""Active measurements: plans, debug pods, result classes and inference. Changes nothing but what it
creates and removes again."""
