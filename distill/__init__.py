"""Train: teachers, students and the recipes by which they learn from each other."""

import runtime as runtime  # before anything else: it switches the telemetry of the engines off
