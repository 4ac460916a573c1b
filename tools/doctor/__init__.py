"""`make doctor`: reads a live cluster and explains what keeps a stack from serving."""
