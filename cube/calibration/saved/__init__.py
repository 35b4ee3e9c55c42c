"""A calibration as a file, and back."""
