"""Traces as Magma's released data holds them (Magma-Video-ToM, Magma-OXE-ToM): numpy arrays that were pickled.

A pickle runs what it names. This reader lets it name what puts a numpy array together, and nothing else.
"""

from __future__ import annotations

import io
import pickle

import numpy as np

from core.errors import UserError
from core.geometry import Size
from core.traces.tracking import Tracks

_ALLOWED = frozenset(
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")  # before and since numpy 2
    for module, name in (("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
) | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_array(data: bytes) -> np.ndarray:
    """The numpy array of numbers or truth values that ``data`` is the pickle of. Raises UserError for anything else."""
    try:
        array = _ArraysOnly(io.BytesIO(data)).load()
    except Exception as error:  # a broken pickle fails in any way
        raise UserError(f"This is no pickled numpy array ({error}).") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.nbytes > len(data):
        raise UserError("This is no pickled numpy array of numbers.")
    return array


def read_tracks(trace: bytes, visibility: bytes, size: Size) -> Tracks:
    """A row's ``trace`` (1 x frames x n x 2) and ``trace_visibility`` (1 x frames x n x 1), in pixels of a picture of
    this size. Raises UserError where they are not of that form."""
    points, visible = read_array(trace), read_array(visibility)
    if points.ndim != 4 or points.shape[0] != 1 or points.shape[3] != 2 or visible.shape != (*points.shape[:3], 1):
        raise UserError(f"Traces of shape {points.shape} with visibility of shape {visible.shape} cannot be read.")
    if not (np.isfinite(points).all() and np.abs(points).max(initial=0) <= 16 * max(size)):
        raise UserError(f"The traces lie nowhere near a picture of {size[0]} x {size[1]} pixels.")
    return Tracks(points[0].astype(np.float32), visible[0, :, :, 0] > 0.5)
