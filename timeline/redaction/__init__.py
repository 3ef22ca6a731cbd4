"""Secrets become tokens before text is shown, stored or hashed."""
