"""Face two: the `stanch` command. Prints lines and JSON documents; never talks to a cluster
itself."""
