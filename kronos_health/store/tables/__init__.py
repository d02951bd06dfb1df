"""The schema, one module per subject; comments on tables and columns say why they exist."""

from kronos_health.store.tables import alerts, conversation, figures, logs, plans, probes, revisit, switch, upstream
from kronos_health.store.types import METADATA

__all__ = ["METADATA", "alerts", "conversation", "figures", "logs", "plans", "probes", "revisit", "switch", "upstream"]
