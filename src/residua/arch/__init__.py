"""What a net is: specs, plans, names and the papers' facts.  Standard library only."""
