"""Alerts: a pure policy, an outbox, channel-neutral messages and the ways out."""
