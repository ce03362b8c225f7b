"""Clips whose every motion is known: a textured ground under a moving camera, and an object that moves on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIZE = (256, 256)
FRAMES = 17
INNER = np.array([[0, 0], [8, 0], [-8, 0], [0, 8], [0, -8]])
"""Points on the object, from its centre, in pixels."""
CAMERAS = ("still", "pan", "zoom", "rotation", "shake")


@dataclass(frozen=True)
class Truth:
    """``frames`` RGB uint8; ``homographies`` [frames, 3, 3] take the first frame's coordinates to frame t's; ``way``
    [frames, 2] is the object's centre in the first frame's coordinates, ``radius`` half its side, all in pixels with
    the top left pixel's centre at (0.5, 0.5)."""

    frames: list[np.ndarray]
    homographies: np.ndarray
    way: np.ndarray
    radius: float

    def background(self, points: np.ndarray, margin: float = 12.0) -> np.ndarray:
        """Which points [n, 2] of the first frame the object never comes near, and the camera never loses: bool [n]."""
        near = (np.abs(points[:, None] - self.way[None]).max(axis=2) < self.radius + margin).any(axis=1)
        seen = np.stack([_through(points, homography) for homography in self.homographies])
        width, height = SIZE
        return ~near & ((seen > margin) & (seen < np.array([width, height]) - margin)).all(axis=(0, 2))


def _through(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return mapped[:, :2] / mapped[:, 2:]


def film(camera: str, seed: int = 0, plain: bool = False, frames: int = FRAMES, noise: float = 2.0) -> Truth:
    """``plain`` gives the object one colour; otherwise it bears a texture as the ground does."""
    generator = np.random.default_rng(seed)
    width, height = SIZE
    border = 96
    ground = _texture(generator, (width + 2 * border, height + 2 * border))
    radius = 22.0
    patch = _texture(generator, (64, 64), contrast=70) if not plain else None
    start, velocity = generator.uniform(70, 120, 2), generator.choice([-1, 1], 2) * generator.uniform(1.5, 4.0, 2)
    velocity = np.where(start + velocity * frames > np.array(SIZE) - 50, -velocity, velocity)
    times = np.arange(frames)[:, None]
    way = start + velocity * times + 6 * np.sin(times / 5) * velocity[::-1] / np.linalg.norm(velocity)
    cameras = np.stack([_camera(camera, t, generator) for t in range(frames)])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    pictures = []
    for homography, centre in zip(cameras, way, strict=True):
        world = ground.copy()
        _put(world, patch, centre + border, radius)
        shift = np.array([[1, 0, -border], [0, 1, -border], [0, 0, 1.0]])
        warp = np.linalg.inv(half) @ homography @ shift @ half
        picture = cv2.warpPerspective(world, warp, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noisy = picture.astype(np.float32) + generator.normal(0, noise, picture.shape)
        pictures.append(noisy.clip(0, 255).astype(np.uint8))
    return Truth(pictures, cameras, way, radius)


def _camera(kind: str, time: int, generator: np.random.Generator) -> np.ndarray:
    """From the first frame's coordinates to frame ``time``'s."""
    centre = np.array([SIZE[0] / 2, SIZE[1] / 2])
    scale, angle, shift = 1.0, 0.0, np.zeros(2)
    if kind == "pan":
        shift = np.array([-2.5, 1.2]) * time
    elif kind == "zoom":
        scale = 1.015**time
    elif kind == "rotation":
        angle = np.radians(0.8 * time)
    elif kind == "shake" and time:
        shift, angle, scale = generator.normal(0, 3, 2), generator.normal(0, 0.01), 1 + generator.normal(0, 0.005)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    homography = np.eye(3)
    homography[:2, :2], homography[:2, 2] = turn, centre - turn @ centre + shift
    return homography


def _texture(generator: np.random.Generator, size: tuple[int, int], contrast: float = 45) -> np.ndarray:
    """Coloured noise whose detail falls off with its frequency, as in photographs."""
    width, height = size
    total = np.zeros((height, width, 3), np.float32)
    for step in (2, 4, 8, 16, 32):
        coarse = generator.normal(0, 1, (height // step + 3, width // step + 3, 3)).astype(np.float32)
        fine = cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += fine[step : step + height, step : step + width] * step**0.5
    total *= contrast / total.std()
    return (total + 120).clip(0, 255).astype(np.uint8)


def _put(world: np.ndarray, patch: np.ndarray | None, centre: np.ndarray, radius: float) -> None:
    """Paint the square object with its edges between pixels."""
    side = round(2 * radius)
    colours = np.full((side, side, 3), (200, 30, 40), np.uint8) if patch is None else patch[:side, :side]
    move = np.array([[1, 0, centre[0] - radius], [0, 1, centre[1] - radius]])
    place = (world.shape[1], world.shape[0])
    mask = cv2.warpAffine(np.full((side, side), 255, np.uint8), move, place, flags=cv2.INTER_LINEAR)
    object_ = cv2.warpAffine(colours, move, place, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = mask[..., None].astype(np.float32) / 255
    world[:] = (object_ * share + world * (1 - share)).round().astype(np.uint8)
