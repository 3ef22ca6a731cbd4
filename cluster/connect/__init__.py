"""Who asks and where: kubeconfig, credentials, TLS and proxies. Sends no request to an API
server."""
