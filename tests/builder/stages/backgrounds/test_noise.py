from __future__ import annotations

import numpy as np
import pytest

from builder.stages.backgrounds.noise import Field, fractal, relief, soft, white


def draw(slope: float, shape: tuple[int, int] = (256, 256), *, lowest: float = 0.0) -> Field:
    return fractal(shape, np.random.default_rng(3), slope, lowest=lowest)


@pytest.mark.parametrize("shape", [(256, 256), (1, 1024), (127, 384)])
def test_noise_has_mean_0_and_standard_deviation_1(shape: tuple[int, int]) -> None:
    field = draw(1.2, shape)

    assert field.shape == shape
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_amplitude_falls_with_frequency_along_rows_and_columns(slope: float) -> None:
    power = np.abs(np.fft.fft2(draw(slope))) ** 2
    along, across = (np.abs(np.fft.fftfreq(256) * 256).reshape(shape) for shape in ((-1, 1), (1, -1)))
    frequency = np.hypot(along, across)
    for steep in (along > 2 * across, across > 2 * along):
        low, high = (power[steep & (abs(frequency / near - 1) < 0.2)].mean() for near in (15, 60))

        assert np.log(low / high) / np.log(4) == pytest.approx(2 * slope, abs=0.25)


def test_frequencies_below_the_lowest_are_left_out() -> None:
    amplitude = np.abs(np.fft.fft2(draw(1.0, lowest=5)))

    assert amplitude[:4, :4].max() < 1e-3 * amplitude.max()


@pytest.mark.parametrize("field", [draw(1.9), soft((256, 256), np.random.default_rng(3), 2.0, lowest=1)])
def test_noise_repeats_without_a_seam(field: Field) -> None:
    for axis in (0, 1):
        steps = np.abs(np.diff(field, axis=axis, append=field.take([0], axis=axis))).mean(axis=1 - axis)

        assert steps[-1] < 2 * steps[:-1].mean()


def test_white_noise_is_normal_and_independent() -> None:
    field = white((256, 256), np.random.default_rng(3))

    assert field.mean() == pytest.approx(0, abs=0.02)
    assert field.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(field) < 1).mean() == pytest.approx(0.68, abs=0.02)
    assert abs((field[1:] * field[:-1]).mean()) < 0.02


def test_slopes_towards_the_light_are_brighter_than_flat_ground() -> None:
    ramp = np.tile(np.abs(np.arange(-32, 32, dtype=np.float32)), (8, 1))

    light = relief(ramp, (-0.5, 0.0, 1.0))

    assert light[4, 48] > 1 > light[4, 16]
    assert np.allclose(relief(np.zeros((8, 8), np.float32), (-0.5, 0.0, 1.0)), 1)
