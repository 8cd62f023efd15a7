"""What the command prints for people, and what pages quote of it."""
