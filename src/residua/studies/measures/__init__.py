"""What is measured on nets: lesions, signals, paths, weights."""
