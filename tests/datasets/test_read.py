"""Reading data sets: arrays as they were written, and errors that say what to put where."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from neurosim import DataError, datasets
from neurosim.datasets.catalogue import TEST_IMAGES, TEST_LABELS
from neurosim.datasets.read import VARIABLE


def idx(values: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    return gzip.compress(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder of data sets with three test images of 2 x 2 pixels."""
    home = tmp_path / "mnist"
    home.mkdir()
    (home / TEST_IMAGES).write_bytes(idx(np.arange(12).reshape(3, 2, 2)))
    (home / TEST_LABELS).write_bytes(idx(np.array([7, 2, 1])))
    return tmp_path


def test_images_and_labels_are_those_of_the_files(digits, monkeypatch):
    images = datasets.load("mnist", "test", folder=digits)
    np.testing.assert_array_equal(images.values, np.arange(12).reshape(3, 2, 2))
    assert images.labels.tolist() == [7, 2, 1] and len(images) == 3
    monkeypatch.setenv(VARIABLE, str(digits))
    np.testing.assert_array_equal(datasets.load("mnist", "test").values, images.values)


def test_a_missing_folder_or_file_is_answered_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(
        DataError,
        match=r"data 'mnist': found no folder of data sets, expected one by folder=, --data or the "
        r"environment variable NEUROSIM_DATA. Fetch it: neurosim data fetch mnist --data DIR",
    ):
        datasets.load("mnist", "test")
    with pytest.raises(DataError, match=r"found no file .*nmnist_train.npz. It cannot be fetched;"):
        datasets.load("nmnist", "train", folder=tmp_path)
    with pytest.raises(DataError, match=r"no data set 'mnst'. Did you mean 'mnist'"):
        datasets.load("mnst", "train", folder=tmp_path)
    with pytest.raises(DataError, match=r"data 'mnist' has no split 'tst'. Did you mean 'test'\?"):
        datasets.load("mnist", "tst", folder=tmp_path)
    with pytest.raises(DataError, match="data 'kmnist': found no train part"):
        datasets.load("kmnist", "train", folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", r"cannot be unpacked \(Not a gzipped file"),
        (idx(np.arange(4).reshape(1, 2, 2))[:20], "cannot be unpacked"),
        (idx(np.arange(3)), "found 00 00 08 01 at its start, expected 00 00 08 03"),
        (gzip.compress(b""), "found nothing at its start"),
        (
            gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12 + b"abc"),
            r"found 3 bytes of values, expected 79228162458924105385300197375 for the shape",
        ),
        (idx(np.zeros((2, 2, 2))), "found 2 images and 3 labels"),
    ],
    # Compressed bytes hold the time, which must not be in the name of a test.
    ids=["no gzip", "cut off", "labels", "empty", "too few values", "too few images"],
)
def test_damaged_images_are_refused(digits, content, message):
    (digits / "mnist" / TEST_IMAGES).write_bytes(content)
    with pytest.raises(DataError, match=message):
        datasets.load("mnist", "test", folder=digits)


def sounds(**changes: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "samples": np.arange(6, dtype=np.int16),
        "offsets": np.array([0, 1, 3, 6]),
        "label": np.array([4, 5, 6], np.uint8),
        "speaker": np.array([0, 1, 2], np.uint8),
        "number": np.array([3, 5, 4], np.uint8),
    } | changes


def write_archive(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    np.savez(path, allow_pickle=True, **arrays)


def test_spoken_digits_are_divided_by_the_official_rule(tmp_path):
    (tmp_path / "fsdd").mkdir()
    write_archive(tmp_path / "fsdd" / "fsdd_8khz.npz", sounds())
    test = datasets.load("fsdd", "test", folder=tmp_path)
    assert test.values.tolist() == [0, 3, 4, 5] and test.offsets.tolist() == [0, 1, 4]
    assert test.labels.tolist() == [4, 6] and test.speakers.tolist() == [0, 2]
    assert datasets.load("fsdd", "train", folder=tmp_path).values.tolist() == [1, 2]


def test_archives_of_other_content_are_refused(tmp_path):
    home = tmp_path / "fsdd"
    home.mkdir()
    path = home / "fsdd_8khz.npz"
    for arrays, message in (
        ({"samples": np.arange(3)}, "found samples, expected also offsets, label, speaker, number"),
        (sounds(offsets=np.array([0, 1, 3, 7])), "offsets that do not divide 6 values into 3"),
        (sounds(offsets=np.array([0, 3, 1, 6])), "offsets that do not divide"),
        (sounds(label=np.array([None] * 3)), "cannot be read .*Object arrays"),
    ):
        write_archive(path, arrays)
        with pytest.raises(DataError, match=message):
            datasets.load("fsdd", "test", folder=tmp_path)
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        datasets.load("fsdd", "test", folder=tmp_path)
