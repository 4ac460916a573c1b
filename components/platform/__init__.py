"""What every model shares inside the cluster."""
