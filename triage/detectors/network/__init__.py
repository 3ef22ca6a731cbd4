"""Detectors that look at Services, balancers, routes and at who came in through them."""
