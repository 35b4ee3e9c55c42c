"""Measured: rows joined onto a cube by label, the physics gate that judges them, and measured against predicted."""
