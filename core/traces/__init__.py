"""Trace-of-Mark (Yang et al. 2025, arXiv 2502.13130): track, stabilise, select, draw, measure, teach."""

from core.traces.drawing import draw_traces
from core.traces.measuring import TraceErrors, constant_velocity, frechet, stay, straight_line, trace_errors
from core.traces.recipe import MarkedClip, mark_clip, taught_traces
from core.traces.selecting import Selected, number_marks, propose_marks, select
from core.traces.stabilising import Stabilised, stabilise, warp
from core.traces.tracking import Tracks, grid_points, track

__all__ = [
    "MarkedClip",
    "Selected",
    "Stabilised",
    "TraceErrors",
    "Tracks",
    "constant_velocity",
    "draw_traces",
    "frechet",
    "grid_points",
    "mark_clip",
    "number_marks",
    "propose_marks",
    "select",
    "stabilise",
    "stay",
    "straight_line",
    "taught_traces",
    "trace_errors",
    "track",
    "warp",
]
