"""Questions above a dimmed screen: what is read, what is answered, and the keys. Knows no screen."""
