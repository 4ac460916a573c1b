"""`make reference` and `make schema`: the settings models as a page and as a JSON Schema."""
