"""What failing objects share that healthy ones do not. Statistics only; it knows no rule."""
