"""Settings of all tests."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Property tests judge results; how long one example takes on a busy machine is not theirs to say. They try the same
# examples everywhere, so that a change passes or fails by what it changes; benchmarks/fuzz.py looks for new ones.
settings.register_profile("gm-edge", deadline=None, derandomize=True)
settings.load_profile("gm-edge")


@pytest.fixture(autouse=True, scope="session")
def control_c_is_heard() -> Iterator[None]:
    """A job in the background has Ctrl-C ignored, and every program that the tests start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
