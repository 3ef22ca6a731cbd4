"""The embedded cluster and the scenarios that play on it. Imports nothing else of the product, so
that a drill cannot flatter the client that is tested on it."""
