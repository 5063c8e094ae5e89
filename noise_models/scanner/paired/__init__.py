"""Travelers: what the same head, seen by two scanners, tells of their difference.

`travelers` finds them, `registration` lays one scan over the other, `comparison` reads
the difference of the two scanners, `difference` pools it over people and moves the
sites, `residual` looks at what is left.
"""
