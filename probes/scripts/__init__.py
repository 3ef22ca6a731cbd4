"""The code that measures inside a pod, and the line protocol that it answers in. No input or output
of its own."""
