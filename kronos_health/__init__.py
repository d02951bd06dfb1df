"""kronos-health: tells, with evidence, whether Kronos and Toto may run compiled, and when production breaks that."""

__version__ = "0.1.0"
