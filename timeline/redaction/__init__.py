"""Replaces secrets by tokens before text is shown, stored or hashed."""
