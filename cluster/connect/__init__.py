"""Server, user, TLS and proxy of a cluster, read from the kubeconfig. Sends no request to an API
server."""
