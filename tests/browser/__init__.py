"""The HTML report in a real browser, without a display."""
