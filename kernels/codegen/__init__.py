"""Sources of generated kernels: rows, scans, sieves, fills."""
