"""Types of recipe values: a number together with the range in which it makes sense."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from runtime.cascade import MOST_BUCKETS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
# Infinity clips nothing.
Norm = Annotated[float, Field(gt=0, allow_inf_nan=True)]
# The largest whole number that every reader of TOML knows; torch takes it too.
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _power_of_two(buckets: int) -> int:
    if buckets & (buckets - 1):
        raise ValueError("must be a power of two, or 0")
    return buckets


Buckets = Annotated[int, Field(ge=0, le=MOST_BUCKETS), AfterValidator(_power_of_two)]
