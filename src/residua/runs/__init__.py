"""What happened: runs as values with a key, and the directories that hold them."""
