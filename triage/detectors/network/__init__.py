"""Detectors for Services, load balancers, routes and intruders behind exposed workloads."""
