"""Axes of people: what a scanner moves is not among them, and nobody need say where."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import eigh

from medvae.encoding.axes import PersonAxes, fit_axes, read_axes, write_along
from medvae.errors import UserError

DIMS, PEOPLE, SCANNERS = 60, slice(0, 30), slice(20, 24)
"""Dimensions that people differ in, and that scanners move; they overlap."""


class World:
    """People at two sites; a scanner moves four dimensions by much."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.sites = ["A", "B"] * 20
        self.people = self.draw(40)
        self.copies = np.stack([self.scan(self.people) for _ in range(12)], axis=1)
        self.std = np.full(DIMS, 0.2)

    def draw(self, n):
        found = np.zeros((n, DIMS))
        found[:, PEOPLE] = self.rng.normal(size=(n, 30))
        return found

    def scan(self, people, scanner=None):
        """Each by a scanner of its own, or all by one."""
        z = people + 0.1 * self.rng.normal(size=people.shape)
        each = self.rng.normal(size=(len(people), 4)) if scanner is None else scanner
        z[:, SCANNERS] += 5 * each
        return z

    def fit(self, **options):
        return fit_axes(self.copies, self.std, self.sites, **options)


@pytest.fixture(scope="module")
def world():
    return World()


def known(a, b):
    distance = np.square(a[:, None] - b).sum(axis=2)
    return float(np.mean(distance.argmin(axis=1) == np.arange(len(a))))


def test_new_people_are_known_across_scanners_that_hid_them(world):
    fresh = world.draw(30)
    there = [world.scan(fresh) for _ in range(2)]
    axes = world.fit().first(10)
    assert known(*there) < 0.5
    assert known(*(axes.read(z, np.ones_like(z))[0] for z in there)) > 0.95


def test_a_scanner_moves_nobody_along_the_axes(world):
    axes = world.fit().first(10)
    one, other = (
        world.scan(world.people, np.ones(4)),
        world.scan(world.people, -np.ones(4)),
    )
    along = [axes.read(z, np.ones_like(z))[0] for z in (one, other)]
    spread = along[0].std(axis=0)
    shift = np.abs(along[0].mean(axis=0) - along[1].mean(axis=0)) / spread
    assert shift.max() < 0.3


def test_they_solve_the_generalised_eigenproblem(world):
    z, code = world.copies, np.arange(40) % 2
    person = z.mean(axis=1)
    site = np.stack([person[code == k].mean(axis=0) for k in (0, 1)])
    own = (person - site[code]).T @ (person - site[code]) / 38
    left = (z - person[:, None]).reshape(-1, DIMS)
    between = site - site.mean(axis=0)
    nuisance = left.T @ left / (40 * 11) + between.T @ between
    nuisance += np.diag(world.std**2)
    values, vectors = eigh(own, nuisance)
    axes = world.fit().axes
    assert np.allclose(axes.T @ nuisance @ axes, np.eye(axes.shape[1]), atol=1e-8)
    for k in range(5):
        assert abs(axes[:, k] @ nuisance @ vectors[:, -1 - k]) == pytest.approx(1)
        assert axes[:, k] @ own @ axes[:, k] == pytest.approx(values[-1 - k])


def test_a_code_painted_from_coordinates_has_these_coordinates(world):
    axes = world.fit().first(7)
    along = world.rng.normal(size=(5, 7))
    again, _ = axes.read(axes.code(along), np.ones((5, DIMS)))
    assert np.allclose(again, along)


def test_posterior_variance_adds_up_along_an_axis():
    two = PersonAxes(np.zeros(2), np.array([[3.0], [4.0]]), np.zeros((2, 1)))
    _, std = two.read([[0, 0]], [[1.0, 2.0]])
    assert std.item() == pytest.approx(np.hypot(3, 8))


def test_age_that_differs_between_sites_is_kept_where_it_is_told(world):
    old = World(seed=1)
    age = np.where(np.arange(40) % 2, 70.0, 30.0) + 8 * old.rng.normal(size=40)
    old.copies = old.copies.copy()
    old.copies[:, :, 50] += 0.1 * (age - age.mean())[:, None]

    def share(axes):
        """Of age's variance, what the best axes hold."""
        ages = np.zeros((1, DIMS))
        ages[0, 50] = 1
        return np.linalg.norm(axes.first(10).read(ages + axes.centre, ages)[0])

    told, untold = old.fit(covariates=age[:, None]), old.fit()
    assert share(told) > 1.5 * share(untold)


def test_too_little_to_fit_is_refused(world):
    with pytest.raises(ValueError, match="two copies of each scan"):
        fit_axes(world.copies[:, :1], world.std, world.sites)
    with pytest.raises(ValueError, match="2 scans at 2 sites"):
        fit_axes(world.copies[:2], world.std, world.sites[:2])


def test_a_file_of_axes_comes_back_and_a_damaged_one_is_named(world, tmp_path):
    path = tmp_path / "axes.safetensors"
    axes = world.fit().first(3)
    axes.write(path)
    assert np.array_equal(read_axes(path).axes, axes.axes)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"axes\.safetensors: holds no axes"):
        read_axes(path)
    PersonAxes(np.zeros(4), axes.axes, axes.back).write(path)
    with pytest.raises(UserError, match="do not fit each other"):
        read_axes(path)
    PersonAxes(axes.centre * np.nan, axes.axes, axes.back).write(path)
    with pytest.raises(UserError, match="not below 1e"):
        read_axes(path)


def test_axes_know_whose_codes_they_were_fitted_to(world, tmp_path):
    path = tmp_path / "axes.safetensors"
    replace(world.fit(), model_digest="a" * 64).first(2).write(path)
    found = read_axes(path)
    found.check_model("a" * 64, path)
    with pytest.raises(UserError, match="fitted to codes of another run"):
        found.check_model("b" * 64, path)
    world.fit().write(path)  # as versions before wrote them: any run may be meant
    read_axes(path).check_model("b" * 64, path)


def test_rows_of_axes_stand_beside_the_rows_of_codes(world, tmp_path):
    codes = world.people.astype(np.float32)
    np.save(tmp_path / "latents.npy", codes)
    rows = "\n".join(f"{i}\ts{i}" for i in range(40))
    (tmp_path / "index.tsv").write_text(f"row\tname\n{rows}\n")
    axes = world.fit().first(4)
    found = np.load(write_along(tmp_path, axes))
    assert np.allclose(found, (codes - axes.centre) @ axes.axes, atol=1e-5)
    with pytest.raises(UserError, match="codes have 60 numbers, the axes 2"):
        write_along(tmp_path, PersonAxes(np.zeros(2), np.eye(2), np.eye(2)))


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        (np.zeros((3, 0)), "holds no axes"),
        (np.full((3, 1), np.nan), "not below 1e"),
        (np.full((3, 1), -np.inf), "not below 1e"),
        (np.full((3, 1), 1e300), "not below 1e"),
    ],
)
def test_axes_of_nothing_or_beyond_measure_are_refused(tmp_path, axes, says):
    path = tmp_path / "axes.safetensors"
    PersonAxes(np.zeros(3), axes, np.zeros(axes.shape)).write(path)
    with pytest.raises(UserError, match=says):
        read_axes(path)
