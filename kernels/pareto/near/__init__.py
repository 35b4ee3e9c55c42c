"""Points near a front: within a tolerance of it, and how far each is from it."""
