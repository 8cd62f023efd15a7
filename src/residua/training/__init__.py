"""How a net learns: recipes as data, one visible loop, and what surrounds it."""
