"""A real Prometheus beside the demonstration, with the stack's own rules; and what it is asked, drawn."""
