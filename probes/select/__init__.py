"""Which sources and targets to measure: pure over the live state. Creates nothing."""
