"""The travelling probe worker: one process, one iteration of one probe.

A self-contained folder. It is started by path with the *target's* interpreter, which has torch (2.6 or newer) and the
model but not this package: nothing here imports ``kronos_health``; imports inside are relative, the rest is the
standard library, torch, and what the target itself needs. Python 3.10 syntax and library only. The protocol it speaks
is described in ``docs/worker-protocol.md``.
"""
