"""Dialogs above a dimmed screen: text to read, an answer, the keys. They know no screen."""
