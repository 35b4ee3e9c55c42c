"""Files: what is read from and written to disk, with the checks that go with it; no plots, no kernels."""
