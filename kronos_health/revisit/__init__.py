"""May the model run compiled? Pure functions from the stored history to a decision; nothing here reads or stores.

``statistics`` (how sure) → ``comparison`` (as accurate as eager?) → ``arms`` (what the history says of each variant) →
``criteria`` and ``triggers`` (the four criteria) → ``decision``.
"""
