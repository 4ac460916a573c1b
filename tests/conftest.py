"""What holds for every test."""

from hypothesis import settings

# No test measures time: on a busy machine an example may take long.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
