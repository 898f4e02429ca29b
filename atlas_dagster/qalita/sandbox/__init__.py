"""A QALITA of one's own: it takes what the platform takes, and shows what arrived."""
