"""Configuration of all tests."""

import os

from hypothesis import settings

# No deadline, because on a busy machine an example may take long. In CI, Hypothesis uses the same examples in every run.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")
