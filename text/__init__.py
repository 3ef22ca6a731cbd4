"""Renders what people read as lines of styled spans, for the screens and the command line.
Renderers are pure functions of values: they neither ask, wait nor paint."""
