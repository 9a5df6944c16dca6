"""What one feature sees of the image, measured by the gradient: behind encoder and context, px.

What pools the whole image (image pooling in ASPP) is left out. References: Araujo et al. 2019, Computing receptive
fields of convolutional neural networks; Luo et al. 2016, Understanding the effective receptive field.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..network import AtrousPyramid, SegmentationNetwork

NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
STRIP = 2  # features across a strip of image: what lies along one axis needs no more
MASS = 0.95  # share of the gradient's energy that the effective field holds


def theoretical_field(network: SegmentationNetwork, channels: int, expected: int) -> tuple[int, int]:
    """Rows and columns that one feature can depend on; measured from ``expected`` px on, larger if need be.

    On a copy with equal positive weights and without norms, so that no path to the image cancels out.
    """
    whole = _transparent(network)
    fields = []
    for axis in (2, 3):
        side, seen = expected, expected
        while seen >= side:  # as wide as the strip: it may have been cut off
            side = (2 * side // network.encoder.multiple + 4) * network.encoder.multiple
            size = [1, channels, STRIP * network.encoder.multiple, STRIP * network.encoder.multiple]
            size[axis] = side
            profile = _gradient(whole, torch.ones(size, dtype=torch.float64)).abs().sum((0, 1, 5 - axis))
            touched = profile.nonzero().flatten()
            seen = int(touched[-1] - touched[0]) + 1
        fields.append(seen)
    return fields[0], fields[1]


def effective_field(network: SegmentationNetwork, channels: int, side: int, images: int = 4) -> float:
    """Side that holds 95 % of the squared gradient along an axis, mean of both axes and of some random images.

    ``side``: of these images, px. The network's weights are as they are; its mode is evaluation.
    """
    whole, sides = copy.deepcopy(network).eval(), []
    for _ in range(images):
        energy = _gradient(whole, torch.randn(1, channels, side, side)).square().sum((0, 1))
        sides += [_central_mass(energy.sum(axis)) for axis in (0, 1)]
    return sum(sides) / len(sides)


def _central_mass(profile: Tensor) -> float:
    """Distance between the points that leave as much on either side and ``MASS`` between them."""
    share = profile.double().cumsum(0) / profile.double().sum()
    first, last = (int(torch.searchsorted(share, tail)) for tail in ((1 - MASS) / 2, (1 + MASS) / 2))
    return float(last - first + 1)


def _gradient(network: SegmentationNetwork, image: Tensor) -> Tensor:
    """Of the central feature, summed over channels at random signs, in the pixels of ``image`` (1, C, H, W)."""
    image.requires_grad_()
    features = network.encoder(image)[-1]
    if isinstance(network.context, AtrousPyramid):
        if network.context.pooling is not None:
            network.context.pooling.register_forward_hook(lambda module, inputs, output: output.detach())
        features = network.context(features)
    central = features[0, :, features.shape[2] // 2, features.shape[3] // 2]
    signs = 1 if image.dtype == torch.float64 else torch.randint(2, central.shape) * 2 - 1
    (gradient,) = torch.autograd.grad((central * signs).sum(), image)
    return gradient


def _transparent(network: SegmentationNetwork) -> SegmentationNetwork:
    """A copy in float64 through which everything passes: means for weights, no norms, mean for maximum pooling."""
    whole = copy.deepcopy(network).double().eval()
    for module in list(whole.modules()):
        for name, part in module.named_children():
            if isinstance(part, NORMS):
                setattr(module, name, nn.Identity())
            elif isinstance(part, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(part.kernel_size, part.stride, part.padding))
    for parameter in whole.parameters():
        nn.init.constant_(parameter, 1 if parameter.ndim == 1 else 1 / parameter[0].numel())
    return whole
