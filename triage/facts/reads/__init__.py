"""What evaluations read, and the results that are kept until something of that changes."""
