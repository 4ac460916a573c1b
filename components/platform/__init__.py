"""Components inside the cluster that all models share."""
