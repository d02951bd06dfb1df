"""Settings: their shape (:mod:`.models`) and where each value comes from (:mod:`.loading`)."""
