"""The mathematics of a calibration: law, fit, residual, power and intervals of families; arrays in, arrays out."""
