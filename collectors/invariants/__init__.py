"""What must be true of a running house at every moment, checked on a schedule."""
