"""The MNIST study: its files, its stacked networks, its arms and its arithmetic."""

import gzip
import struct
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from medvae.errors import UserError
from medvae.training.seeds import generator

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from measured.students import spread
from mnist_parts.arms import ARMS, corrupted
from mnist_parts.digits import Digits, digits, images, read_idx
from mnist_parts.measuring import Judge
from mnist_parts.network import Stack
from mnist_parts.training import Batches, Plan, moved, train


def write_idx(path, values, opened=open):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    with opened(path, "wb") as handle:
        handle.write(header + values.tobytes())


def grey(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)


def test_idx_files_are_read_zipped_or_not(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", grey(3))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", grey(2, 1), gzip.open)
    assert torch.equal(images(tmp_path, "train"), torch.tensor(grey(3)).flatten(1))
    assert torch.equal(images(tmp_path, "t10k"), torch.tensor(grey(2, 1)).flatten(1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an idx file of unsigned bytes"),
        (b"\x00\x00\x0d\x01" + bytes(8), "must be an idx file of unsigned bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "promises 5 values, but 3 follow"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, message):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_idx(path)


def test_a_cut_gzip_is_named(tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    write_idx(path, grey(20), gzip.open)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="cannot be read"):
        images(tmp_path, "t10k")


def test_a_folder_without_mnist_says_what_to_give(tmp_path):
    with pytest.raises(UserError, match="holds no train-images"):
        images(tmp_path, "train")


def test_images_of_another_size_are_refused(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", grey(3)[:, :20])
    with pytest.raises(UserError, match="must be 28 x 28"):
        images(tmp_path, "train")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("mnist")
    level = np.full((60_000, 28, 28), 51, np.uint8)  # a fifth of full scale
    level[:, :, :14] = 255
    level[:, 0] = 0
    write_idx(path / "train-images-idx3-ubyte", level)
    write_idx(path / "t10k-images-idx3-ubyte", level[:100])
    return path


def test_binarisation_is_a_coin_of_the_grey_level_and_of_the_seed(folder):
    first, again, other = (
        digits(folder, 0, 200),
        digits(folder, 0, 200),
        digits(folder, 1, 200),
    )
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.test, other.test)
    pixels = first.train.view(-1, 28, 28).float()
    assert pixels[:, 0].max() == 0
    assert pixels[:, 1:, :14].min() == 1
    assert pixels[:, 1:, 14:].mean().item() == pytest.approx(0.2, abs=0.01)


def test_split_is_fifty_ten_and_small_sets_come_from_the_fifty(folder):
    found = digits(folder, 0, 300)
    assert [len(found.train), len(found.validation), len(found.test)] == [
        300,
        10_000,
        100,
    ]


def test_stacked_networks_do_not_feel_each_other():
    x = (torch.rand(4 * 3, 1, 28, 28, generator=generator(0)) < 0.3).float()
    together, alone = Stack([0, 1, 2]), Stack([1])
    rows = torch.arange(4) * 3 + 1
    both = together.encode(x)
    own = alone.encode(x[rows])
    assert torch.allclose(both.mean[rows], own.mean, atol=1e-5)
    z = torch.randn(12, 50, generator=generator(1))
    nats = together.log_likelihood(x, z)
    assert torch.allclose(nats[rows], alone.log_likelihood(x[rows], z[rows]), rtol=1e-5)
    nats[rows].sum().backward()
    used = together.decoder[0].grad.abs().flatten(1).sum(1)
    assert used[1] > 0
    assert used[0] == used[2] == 0


def random_digits(n, seed):
    rng = generator("random digits", seed)
    black = (torch.rand(n, 784, generator=rng) < 0.3).byte()
    return Digits(black * 255, black * 0 + 100, black, black, black)


def test_a_longer_training_stops_where_a_shorter_one_ends():
    data = [random_digits(40, seed) for seed in (0, 1)]
    arm = ARMS["dvae_gaussian_0.8"]
    short = train(arm, Plan(40, 3, 20), data, [0, 1])
    long = train(arm, Plan(40, 7, 20), data, [0, 1], end=3)
    last = train(arm, Plan(40, 7, 20), data, [0, 1])
    for name, value in short.end.items():
        assert torch.equal(long.end[name], value)
        assert not torch.equal(last.end[name], value)


@pytest.mark.parametrize(
    "name", ["vae", "iwae_k5", "diwae_k5", "invariance_1", "augmentation_dvae"]
)
def test_every_kind_of_arm_trains_and_is_measured(name, monkeypatch):
    from mnist_parts import measuring

    monkeypatch.setattr(measuring, "SAMPLES", 20)
    monkeypatch.setattr(measuring, "IMAGES", 5)
    data = [random_digits(40, seed) for seed in (0, 1)]
    found = train(ARMS[name], Plan(40, 120, 20), data, [0, 1])
    nll = [look["nll"] for look in found.curve]
    assert max(nll[-1]) < 784 * np.log(2)  # better than a fair coin a pixel
    assert found.best["decoder.0"].shape == (2, 50, 200)
    model = Stack([0, 1])
    model.load_state_dict(found.best)
    x = torch.stack([d.test for d in data], 1).flatten(0, 1).view(-1, 1, 28, 28).float()
    told = Judge(ARMS[name], model, x).everything()
    assert told["information"]["within"][0] <= told["information"]["pairwise"][0]


def test_every_arm_has_the_noise_that_its_name_says():
    x = torch.zeros(20, 1, 28, 28)
    x[:, :, 14:] = 1
    y = corrupted("salt_and_pepper", 0.4, x, 2, generator(0))
    for half in (y[:, :, :, :14] == 1, y[:, :, :, 14:] == 0):  # salt, then pepper
        assert half.float().mean().item() == pytest.approx(0.2, abs=0.01)
    y = corrupted("pepper", 0.4, x, 2, generator(0))
    assert y[:, :, :, :14].max() == 0
    assert (y[:, :, :, 14:] == 0).float().mean().item() == pytest.approx(0.4, abs=0.02)
    y = corrupted("gaussian", 0.8, x, 2, generator(0))
    assert (y - x).std().item() == pytest.approx(0.8, abs=0.02)
    assert torch.equal(x[:, :, :14], torch.zeros(20, 1, 14, 28))


def test_corruption_and_order_are_fresh_at_every_step():
    data = [random_digits(40, 0)]
    arm = ARMS["dvae_salt_and_pepper_0.4"]
    batches = Batches(arm, Plan(40, 4, 20), data, [0])
    black, orders, noises = torch.zeros(20, 1, 28, 28), [], []
    for _ in range(4):  # two epochs of two steps
        x, rng = batches.next()
        orders.append(x)
        noises.append(arm.corrupt(black, 1, rng))
    for drawn in (orders, noises):
        pairs = combinations(drawn, 2)
        assert not any(torch.equal(a, b) for a, b in pairs)


def test_augmentation_moves_images_and_keeps_them_black_and_white():
    batches = Batches(
        ARMS["augmentation"], Plan(40, 4, 20), [random_digits(40, 0)], [0]
    )
    x, _ = batches.next()
    assert set(x.unique().tolist()) == {0.0, 1.0}
    still = moved(torch.ones(50, 1, 28, 28), generator(0))
    assert still[:, :, 10:18, 10:18].min() > 0.999


def test_interval_is_student_s():
    assert spread([1.0, 2.0, 3.0]) == {"mean": 2.0, "sd": 1.0, "ci95": [-0.484, 4.484]}
