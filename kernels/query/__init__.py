"""What is asked of a space, and the partial results of its answers."""
