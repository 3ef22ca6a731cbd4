"""Chooses sources, targets, images and labels from the live state. Pure; creates nothing."""
