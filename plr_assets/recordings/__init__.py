"""Recordings: reading what a pupillometer wrote, simulating it, and deciding which recording plays which role.

Belongs here: readers, the common table, anonymisation, the simulator, roles. Does not belong here: judging samples
(`outlier_detection`) or filling them (`imputation`).
"""
