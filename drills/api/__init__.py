"""The Kubernetes API: objects, kinds, the versioned store, reads, watches, writes, patches and
error wording. Knows no scenario, controller or HTTP server."""
