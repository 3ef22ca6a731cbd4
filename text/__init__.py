"""What people read, as lines of styled spans: one renderer for the screens and the command line.

A renderer is a pure function of values; what asks, waits or paints does not belong here.
"""
