"""The plan (being written): dataclasses that components translate."""
