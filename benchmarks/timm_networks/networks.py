"""A small member of 28 of timm's families, with seeded weights that answer differently on different
pictures."""

from __future__ import annotations

import torch
from torch import nn
from torchvision_networks.networks import Classifier, calibrate

from fer_train.contract.architectures import architecture, build_model
from fer_train.contract.timm_networks import PREFIX

#: Network -> side of its input: 64 where it takes that, else the one it is made for. In the order
#: in which they are built: the families that people train most come first.
SIZES = {
    "efficientnet_lite0": 64, "mobilenetv3_small_050": 64, "mobilenetv4_conv_small_035": 64,
    "resnet10t": 64, "convnext_atto": 64, "vit_tiny_patch16_224": 224, "ghostnet_050": 64,
    "regnetx_002": 64, "hardcorenas_a": 64, "mixnet_s": 64, "rexnet_100": 64, "repvgg_a0": 64,
    "fasternet_t0": 64, "efficientvit_b0": 64, "mobileone_s0": 64, "edgenext_xx_small": 64,
    "cs3darknet_focus_s": 64, "densenet121": 64, "ese_vovnet19b_slim": 64, "selecsls42b": 64,
    "convnextv2_atto": 64, "resmlp_12_224": 224, "swin_tiny_patch4_window7_224": 224,
    "xcit_nano_12_p16_224": 224, "deit_tiny_patch16_224": 224, "caformer_s18": 64,
    "poolformer_s12": 64, "dpn68": 64,
}  # fmt: skip


def seeded(name: str, *, classes: int) -> nn.Module:
    """A network of timm, built by name as the toolchain builds it, that is not degenerate."""
    torch.manual_seed(7)
    arch = architecture(PREFIX + name)
    classifier = Classifier(build_model(arch.name, num_classes=classes)).eval()
    last = classifier.network.get_submodule(arch.linear)
    calibrate(classifier, last, SIZES[name])
    return classifier.network
