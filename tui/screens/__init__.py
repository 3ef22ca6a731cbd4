"""The screens: each arranges panes and handles its keys."""
