"""The platform: what turns science functions into assets with lineage, reuse and tracking.

Belongs here: the MLflow contract, fingerprints, planning, mappers, Dagster wiring. Does not belong here: any
computation on signals, features or predictions. Nothing is imported at this level.
"""
