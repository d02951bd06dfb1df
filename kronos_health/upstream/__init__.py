"""What changed around production: torch's releases, Kronos' revisions, production's settings, deployments.

Everything here looks and nothing here decides or stores. What cannot be looked up is an
:class:`~kronos_health.domain.upstream.Unknown` with its reason, never an exception.
"""
