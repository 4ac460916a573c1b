"""What holds for every test."""

import os

from hypothesis import settings

# No test measures time: on a busy machine an example may take long. In CI the examples are the same every time.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")
