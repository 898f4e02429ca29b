"""QALITA: what is published to the platform, and its API."""
