"""Settings: their shape (:mod:`.models`) and where each value comes from (:mod:`.loading`)."""

from kronos_health.settings.models import Settings

__all__ = ["Settings"]
