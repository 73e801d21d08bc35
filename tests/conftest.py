"""Settings of all tests."""

from hypothesis import settings

# Property tests judge results; how long one example takes on a busy machine is not theirs to say.
settings.register_profile("gm-edge", deadline=None)
settings.load_profile("gm-edge")
