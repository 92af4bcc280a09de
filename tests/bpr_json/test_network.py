"""The plain sequence of layers is bpreg's network, with and without dead channels."""

import numpy as np
import pytest

from ct_assets.bpr_json.network import BATCH, predict, scoring_network


def channels(network) -> list[int]:
    return [layer.out_channels for layer in network if hasattr(layer, "out_channels")]


@pytest.mark.parametrize("bundle", ["demo", "random"])
def test_equal_to_bpreg_whatever_the_batch(bundle, bpreg):
    import torch

    regression = bpreg(bundle).model
    slices = np.random.default_rng(0).uniform(-1, 1, (BATCH["cpu"] + 1, 128, 128)).astype(np.float32)
    with torch.no_grad():
        expected = regression(torch.from_numpy(slices[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(predict(scoring_network(regression), slices, "cpu"), expected, atol=2e-6)


def test_only_dead_channels_are_left_out(bpreg):
    assert channels(scoring_network(bpreg("random").model)) == [64, 64, 128, 128, *[256] * 3, *[512] * 7]
    assert max(channels(scoring_network(bpreg("demo").model))) <= 64


def test_a_channel_that_is_zero_but_for_its_bias_stays(bpreg):
    import copy

    import torch

    regression = copy.deepcopy(bpreg("demo").model)
    before = channels(scoring_network(regression))
    regression.conv6.bias.data[[500, 501]] = torch.tensor([0.7, -0.7])
    assert channels(scoring_network(regression)) == [*before[:-1], before[-1] + 1]


def test_cudnn_stays_on_and_rounds_nothing():
    import torch

    seen = []

    class Probe(torch.nn.Module):
        def forward(self, batch):
            seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32))
            return batch.flatten(1)[:, :1]

    predict(Probe(), np.zeros((3, 128, 128), np.float32), "cpu")
    assert seen == [(True, False)]
