"""Wiring: connections, resources and sensors, one file each."""
