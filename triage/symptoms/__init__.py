"""From findings to symptoms: grouping by cause, titles and shared attributes. Adds no finding."""
