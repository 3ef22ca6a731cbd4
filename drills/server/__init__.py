"""The embedded cluster as a running server: HTTP requests, subresources, faults on demand and the
timed script. The other rooms hold the rules of the API and of controllers."""
