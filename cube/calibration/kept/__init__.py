"""What the calibration knew before any rows of yours: held-out errors of the embedded rows, boards that lend; data."""
