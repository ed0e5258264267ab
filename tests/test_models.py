"""The small torch models, held to formulas written another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adambook import models

# Float32 rounds by 2^-24; each of the hundred steps from noise to data divides by the root of a share of signal,
# which is 1e-2 where it is smallest.
CHAIN = 100 * 2.0**-24 / 1e-2


def test_signal_falls_from_all_to_nothing():
    a = models.signal()
    expected = np.cumprod(1 - np.linspace(0.001, 0.2, 100))
    assert a.shape == (models.LEVELS + 1,) and a[0] == 1 and a[-1] < 1e-4
    # A product of up to a hundred factors, each rounded.
    np.testing.assert_allclose(a[1:], expected, rtol=200 * 2.0**-24)


def test_noise_leaves_the_variance_of_scaled_data_as_it_is():
    x, noise = torch.randn(2, 100_000, 1, generator=torch.Generator().manual_seed(0))
    for level in (0, 30, 100):
        seen = models.noised(x, torch.full((100_000,), level), noise)
        # The standard error of a variance is sqrt(2 / n).
        assert abs(seen.var() - 1) < 5 * (2 / 100_000) ** 0.5
    assert torch.equal(models.noised(x, torch.zeros(100_000, dtype=torch.long), noise), x)


def one_point(x, t):
    """Name the noise, exactly, where all data are the point (0.5, -0.25)."""
    a = models.signal()[t][..., None]
    return (x - a.sqrt() * torch.tensor([0.5, -0.25])) / (1 - a).sqrt()


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_who_knows_the_noise_arrives_at_the_data(eta):
    path = models.denoised(one_point, (3, 7, 2), seed=0, eta=eta)
    assert path.shape == (models.LEVELS + 1, 3, 7, 2)
    torch.testing.assert_close(path[-1], torch.tensor([0.5, -0.25]).expand(3, 7, 2), rtol=0, atol=CHAIN)


def test_the_chain_with_new_noise_is_that_of_ho_and_others():
    """Their equation 7, with the same random numbers."""
    g, a = torch.Generator().manual_seed(3), models.signal().double()
    predict = lambda x, t: 0.9 * x.sin()  # noqa: E731
    x = torch.randn(5, 2, generator=g).double()
    for t in range(models.LEVELS, 0, -1):
        alpha, beta = a[t] / a[t - 1], 1 - a[t] / a[t - 1]
        clean = (x - (1 - a[t]).sqrt() * predict(x, t)) / a[t].sqrt()
        mean = a[t - 1].sqrt() * beta * clean + alpha.sqrt() * (1 - a[t - 1]) * x
        variance = beta * (1 - a[t - 1]) / (1 - a[t])
        x = mean / (1 - a[t]) + variance.sqrt() * torch.randn(5, 2, generator=g).double()
    ours = models.denoised(predict, (5, 2), seed=3)[-1]
    # The chain multiplies a rounding error by at most the size of what it draws.
    torch.testing.assert_close(ours.double(), x, rtol=0, atol=CHAIN * float(x.abs().max()))


def test_a_seed_decides_the_samples():
    predict = lambda x, t: x / 2  # noqa: E731
    first, again, other = (models.denoised(predict, (4, 5, 2), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first[:, 0], first[:, 3])  # the same noise along leading axes


def test_a_denoiser_looks_at_the_level():
    torch.manual_seed(0)
    denoiser, x = models.Denoiser(2, 16), torch.ones(3, 2)
    low, high = denoiser(x, torch.tensor([1, 1, 1])), denoiser(x, torch.tensor([1, 1, 90]))
    assert low.shape == (3, 2)
    assert torch.equal(low[:2], high[:2]) and not torch.equal(low[2], high[2])


def test_sliced_wasserstein_on_a_line_is_the_gap_between_sorted_points():
    a, b = torch.tensor([[3.0], [0.0], [1.0]]), torch.tensor([[2.0], [5.0], [3.0]])
    gaps = np.array([2.0, 2.0, 2.0])  # 0, 1, 3 against 2, 3, 5
    assert models.sliced_wasserstein(a, b).item() == pytest.approx(np.sqrt(np.mean(gaps**2)), rel=1e-6)
    assert models.sliced_wasserstein(a, a.flip(0)) == 0


def test_sliced_wasserstein_of_a_shift_and_of_a_stack():
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([3.0, 0, 0, 0, 0, 0, 0, 0])
    near, far = models.sliced_wasserstein(torch.stack([x, x + shift]), x)
    # The mean square of one coordinate of a random line is 1/8, with a relative standard error of
    # sqrt((3 * 8 / 10 - 1) / 256) over 256 lines.
    assert near == 0 and far.item() ** 2 == pytest.approx(9 / 8, rel=4 * (1.4 / 256) ** 0.5)
    with pytest.raises(ValueError, match=r"a has shape \(49, 8\)"):
        models.sliced_wasserstein(x[:49], x)


def test_next_frame_keeps_the_size():
    assert models.next_frame(3, 5)(torch.zeros(2, 3, 16, 20)).shape == (2, 1, 16, 20)
    with pytest.raises(ValueError, match="frames = 0"):
        models.next_frame(0)


def test_a_film_is_rolled_out_from_its_own_frames():
    seen = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    film = models.rolled_out(lambda last: last[:, -1:].roll(1, -1), seen, 5)
    for i in range(5):
        assert torch.equal(film[:, i], seen[:, -1].roll(i + 1, -1))
    assert models.rolled_out(lambda last: last[:, :1] + 2, seen, 1).max() == 1  # brighter than white is white


def test_post_normalization_is_the_original_transformers_block():
    """Vaswani et al. (2017), section 3.1: the norm of the sum, twice; torch's own layer is the second witness."""
    torch.manual_seed(0)
    block, x = models.Block(16, 2, 0.0, post_norm=True), torch.randn(3, 5, 16)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 64, dropout=0.0, activation="gelu", batch_first=True)
    pairs = (
        (layer.self_attn.in_proj_weight, block.qkv.weight),
        (layer.self_attn.in_proj_bias, block.qkv.bias),
        (layer.self_attn.out_proj.weight, block.out.weight),
        (layer.self_attn.out_proj.bias, block.out.bias),
        (layer.linear1.weight, block.mlp[0].weight),
        (layer.linear1.bias, block.mlp[0].bias),
        (layer.linear2.weight, block.mlp[2].weight),
        (layer.linear2.bias, block.mlp[2].bias),
    )
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
        causal = torch.nn.Transformer.generate_square_subsequent_mask(5)
        expected = layer(x, src_mask=causal, is_causal=True)
        # float32, a few dozen operations on numbers near 1
        torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)
        assert not torch.allclose(models.Block(16, 2, 0.0)(x), expected, atol=0.1)


def test_the_place_of_the_norm_changes_no_weight():
    shapes = [
        {name: tensor.shape for name, tensor in models.Transformer(9, 4, post_norm=post).state_dict().items()}
        for post in (False, True)
    ]
    assert shapes[0] == shapes[1]
