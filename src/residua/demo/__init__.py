"""The page on which nets are tried out by hand."""
