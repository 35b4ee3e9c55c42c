"""Calibration: from measurements to predictions with intervals, honest errors, and what to measure next."""

from __future__ import annotations

from roofcube.calibration.calibrated import Calibration, calibrate, load_calibration

__all__ = ["Calibration", "calibrate", "load_calibration"]
