"""What lines of a container's log mean: the class of the failure, the sentence that says it, the
address that it names. Pure functions over text; knows no objects and reads nothing."""
