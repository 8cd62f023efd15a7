"""What crosses the border: other people's weight files made ours."""
