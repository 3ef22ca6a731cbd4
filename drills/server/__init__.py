"""The embedded cluster as a running server: HTTP requests, subresources, faults on demand and the
timed script. Rules of the API and of controllers live in the rooms below."""
