"""What works without a cluster: records on disk, the runbooks, the doctor."""
