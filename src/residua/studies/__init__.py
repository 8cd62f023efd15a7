"""What we conclude: figures and reports made from records."""
