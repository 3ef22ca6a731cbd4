"""The screens: each puts panes together and says what its keys do."""
