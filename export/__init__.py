"""Export: a trained student becomes an INT8 bundle that is proved to decide the same."""

import runtime as runtime  # before anything else: it switches the telemetry of the engines off
