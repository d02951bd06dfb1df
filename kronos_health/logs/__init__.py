"""Reads logs through their rotations: generations, records, signatures, samples. Free of databases and torch."""
