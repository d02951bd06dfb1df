"""The use cases, one module each: probe, scan, watch, revisit, deliver, verify, digest, housekeeping, the whole check.

Every face (command line, Airflow, page) calls these and holds no logic of its own. Each use case may be killed at any
instant and run again: what belongs together is stored in one transaction.
"""
