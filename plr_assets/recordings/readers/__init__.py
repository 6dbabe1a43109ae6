"""Readers: one for each way in which recordings are written, behind the interface of `base`."""

from plr_assets.recordings.readers.base import Parsed, Reader, RecordingFile
from plr_assets.recordings.readers.registry import READERS, choose_reader

__all__ = ["READERS", "Parsed", "Reader", "RecordingFile", "choose_reader"]
