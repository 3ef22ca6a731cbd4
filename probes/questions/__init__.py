"""One probe a file: what it asks, its plan and its run."""
