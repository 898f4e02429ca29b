"""One asset factory per layer. No logic in here: it lives in the engines."""
