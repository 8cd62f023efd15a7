"""What is known about a run, several runs or a study, as a page."""
