"""What each pane says, as lines: pure functions of the picture, the width and the time."""
