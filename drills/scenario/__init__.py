"""A drill as data and its expansion into Kubernetes objects, the same every time. Nothing here
serves a request or runs while a drill is played."""
