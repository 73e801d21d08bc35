"""Measurements: each figure in the documentation comes from a command here."""

import runtime as runtime  # before anything else: it switches the telemetry of the engines off
