"""What each check saw, as observations for the alert policy: pure functions over domain objects.

An observation is good, bad or unknown; unknown is what could not be seen, and never the same as good.
"""
