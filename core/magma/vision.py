"""The vision tower (CLIP's ConvNeXt, dense features) and the projector into Llama's embedding space.

Parameter names are those of the released checkpoint. ConvNeXt: Liu et al., "A ConvNet for the 2020s", 2022.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from core.magma.configuration import MagmaVisionConfig

EPSILON = 1e-5
"""Of every layer norm in the trunk. The usual ConvNeXt has 1e-6, which gives visibly other features."""


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, H, W]."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """The two pointwise layers of a block, on [..., C], with exact (erf) GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.fc2(functional.gelu(self.fc1(features)))


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, layer norm, MLP, layer scale ``gamma``, residual; [B, C, H, W] in and out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))
        self.conv_dw = nn.Conv2d(width, width, kernel_size=7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        update = self.mlp(self.norm(self.conv_dw(features).permute(0, 2, 3, 1))) * self.gamma
        return features + update.permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Halve the picture's sides (not in the first stage), then ``depth`` blocks."""

    def __init__(self, width_in: int, width: int, depth: int) -> None:
        super().__init__()
        self.downsample = nn.Identity()
        if width_in != width:
            self.downsample = nn.Sequential(
                ChannelLayerNorm(width_in, eps=EPSILON), nn.Conv2d(width_in, width, kernel_size=2, stride=2)
            )
        self.blocks = nn.Sequential(*(ConvNextBlock(width) for _ in range(depth)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.downsample(features))


class Trunk(nn.Module):
    """[B, 3, H, W] -> [B, widths[-1], H/32, W/32]."""

    def __init__(self, config: MagmaVisionConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=4, stride=4), ChannelLayerNorm(widths[0], eps=EPSILON)
        )
        widths_in = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(*map(Stage, widths_in, widths, config.depths))
        # Part of the released files, never used: Magma takes the features before CLIP pools them.
        self.head = nn.ModuleDict({"norm": nn.LayerNorm(widths[-1], eps=EPSILON)}).requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.stages(self.stem(pixels))


class ClipVisionModel(nn.Module):
    """CLIP's picture half: the trunk, and the projection into CLIP's space that Magma leaves aside."""

    def __init__(self, config: MagmaVisionConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        projection = nn.Linear(config.widths[-1], config.projection_dim, bias=False)
        self.head = nn.ModuleDict({"proj": projection}).requires_grad_(False)


class VisionTower(nn.Module):
    """Dense CLIP features: normalised pixels [B, 3, H, W] -> [B, H/32, W/32, C]."""

    def __init__(self, config: MagmaVisionConfig) -> None:
        super().__init__()
        self.clip_vision_model = ClipVisionModel(config)

    @property
    def dtype(self) -> torch.dtype:
        """Of the first convolution, which no quantisation touches."""
        return self.clip_vision_model.trunk.stem[0].weight.dtype

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # With channels last in memory the permutes around norm and MLP cost nothing.
        pixels = pixels.to(self.dtype, memory_format=torch.channels_last)
        return self.clip_vision_model.trunk(pixels).permute(0, 2, 3, 1)


class Projector(nn.Module):
    """Features [..., C] -> embeddings [..., H], and the learned separator that closes each row."""

    def __init__(self, config: MagmaVisionConfig, hidden_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(config.widths[-1], hidden_size)]
        for _ in range(config.projector_layers - 1):
            layers += [nn.GELU(), nn.Linear(hidden_size, hidden_size)]
        self.proj = nn.Sequential(*layers)
        self.row_seperator = nn.Parameter(torch.empty(1, 1, hidden_size))  # the released name is spelt so

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.proj(features)

    def close_rows(self, embeddings: torch.Tensor) -> torch.Tensor:
        """[rows, cols, H] -> [rows * (cols + 1), H], row by row, each with the separator at its end."""
        separators = self.row_seperator.to(embeddings.dtype).expand(len(embeddings), 1, -1)
        return torch.cat((embeddings, separators), dim=1).flatten(0, 1)


def tile(crops: torch.Tensor, rows: int, cols: int) -> torch.Tensor:
    """Lay crops [rows * cols, h, w, C], row-major, side by side: [rows * h, cols * w, C]."""
    _, height, width, channels = crops.shape
    grid = crops.reshape(rows, cols, height, width, channels)
    return grid.transpose(1, 2).reshape(rows * height, cols * width, channels)
