"""Quality: what is checked of a stream, how it is scanned, and the score that follows."""
