"""Finds the component at fault from measured cells. Pure: no cluster access, no clock."""
