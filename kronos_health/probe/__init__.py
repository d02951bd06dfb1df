"""Probes: the parent side, which starts fresh children, watches them, and says how each ended.

``worker/`` is the child. It travels: it is run by path with the target's own interpreter and never imported here.
"""
