"""`make bench`: what the platform costs, measured beside a peer that does the same work without it.

Belongs here: measurements of speed, one module a subject. Does not belong here: tests (nothing in the test suite is
timed), or anything that the product imports.
"""
