"""The tests, one folder for each package."""

import runtime as runtime  # before anything else: it switches the telemetry of the engines off
