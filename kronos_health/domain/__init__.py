"""The words of the project as frozen dataclasses and enums; it imports nothing but the standard library.

One module per subject: :mod:`probes`, :mod:`accuracy`, :mod:`logs`, :mod:`upstream`, :mod:`revisit`, :mod:`alerts`.
Times are aware UTC datetimes; durations carry their unit in the name (``_ms``, ``_seconds``); memory is in MiB
(``_mb``); identifiers are text UUIDs of version 7, which sort by the time they were made.
"""
