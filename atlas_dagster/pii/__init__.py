"""Personal data in explore: what Presidio finds in every value of every field."""
