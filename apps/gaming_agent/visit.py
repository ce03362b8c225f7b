"""What one visitor does on the page."""

from __future__ import annotations

from apps.gaming_agent.agent import Episode
from core.errors import UserError


class Visit:
    """A visitor's game and whether it runs. ``running`` belongs to the run that goes on: a later one takes it over, a
    pause takes it away, and the run that lost it ends after the step it is at."""

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.running: object | None = None
        self.moves_per_second = 1.0

    def begin(self, episode: Episode) -> None:
        """Another game, paused."""
        self.running = None
        self.episode = episode

    def start(self, moves_per_second: float) -> object:
        """Gives what ``running`` is for as long as this run goes on."""
        self.pace(moves_per_second)
        self.running = object()
        return self.running

    def stop(self, run: object) -> None:
        """End a run, unless another has taken over."""
        if self.running is run:
            self.running = None

    def pace(self, moves_per_second: float) -> None:
        self.moves_per_second = min(max(float(moves_per_second), 0.1), 100.0)


def known(visit: Visit | None) -> Visit:
    """Raises UserError where the server no longer knows the page: it was started anew, or the page slept for hours."""
    if visit is None:
        raise UserError("The server has forgotten this page: reload it, and the game goes on.")
    return visit
