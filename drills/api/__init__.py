"""The Kubernetes API as such: objects, kinds, the versioned store, reads, watches, writes, patches
and error wording. Nothing here knows what a scenario, a controller or an HTTP server is."""
