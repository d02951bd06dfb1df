"""What the worker raises itself; everything else that goes wrong is the target's or torch's own exception."""

from __future__ import annotations


class BadInput(Exception):
    """Something the user gave cannot be used: a CSV, weights, a checkout, an interpreter, a factory, a variant.

    The message is one line for people: what is wrong, which file, key or target, and what to do.
    """


class Unsupported(Exception):
    """The variant needs something that this torch does not have: nobody's fault, and no verdict on the variant."""


class NonFiniteForecast(Exception):
    """A forecast holds NaN or infinity."""


class SilentOverwrite(Exception):
    """An output that was still kept changed when the next one was computed, and nothing raised an error."""
