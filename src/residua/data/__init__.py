"""What a net sees: data sets as uint8 tensors, and batches that are functions of (seed, step)."""
