"""Which way a query is answered, and the running of it: bounds, generated kernels, NumPy tiles, arrays."""
