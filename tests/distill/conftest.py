"""What all tests of training share."""

from tests.threads import one_thread  # noqa: F401 - pytest finds the fixture here
