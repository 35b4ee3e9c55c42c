"""The TOML of `roofcube sweep`: what it may say, validated; turned into calls of the public functions, nothing more."""

from roofcube.sweep_spec.running import Outcome, answer_sweep, run_sweep
from roofcube.sweep_spec.tables import SweepSpec, read_sweep_spec

__all__ = ["Outcome", "SweepSpec", "answer_sweep", "read_sweep_spec", "run_sweep"]
