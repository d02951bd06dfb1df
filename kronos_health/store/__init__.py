"""The history database: the only place in Python that writes SQL."""
