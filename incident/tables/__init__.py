"""Tables of objects: columns with typed values, filters, sorting. Knows no screen."""
