"""How a net computes: modules built from the rows of a plan."""
