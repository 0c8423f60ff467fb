"""Known data sets: their files, checksums, mirrors and sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


@dataclass(frozen=True)
class Description:
    """One data set.

    Attributes
    ----------
    summary : str
    format : "idx", "pictures", "events" or "sounds"
        How its files are read.
    train, test : names of files
        A split without files does not exist.
    source : str
        Authors, title, year.
    checksums : (name, SHA-256) of each file that can be fetched
    mirrors : addresses of folders
        Empty: it cannot be fetched.
    """

    summary: str
    format: Literal["idx", "pictures", "events", "sounds"]
    train: tuple[str, ...]
    test: tuple[str, ...]
    source: str
    checksums: tuple[tuple[str, str], ...] = ()
    mirrors: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files, each once."""
        # Both splits may lie in one file, as those of the spoken digits.
        return tuple(dict.fromkeys(self.train + self.test))


KNOWN: dict[str, Description] = {
    "mnist": Description(
        "70 000 handwritten digits, 28 x 28 grey values",
        "idx",
        (TRAIN_IMAGES, TRAIN_LABELS),
        (TEST_IMAGES, TEST_LABELS),
        "LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86, 2278",
        (
            (TRAIN_IMAGES, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (TRAIN_LABELS, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (TEST_IMAGES, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (TEST_LABELS, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Description(
        "70 000 pictures of clothes, 28 x 28 grey values",
        "idx",
        (TRAIN_IMAGES, TRAIN_LABELS),
        (TEST_IMAGES, TEST_LABELS),
        "Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747",
        (
            (TRAIN_IMAGES, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (TRAIN_LABELS, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (TEST_IMAGES, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (TEST_LABELS, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ),
    "kmnist": Description(
        "10 000 handwritten hiragana (test part), 28 x 28 grey values",
        "idx",
        (),
        (TEST_IMAGES, TEST_LABELS),
        "Clanuwat et al. 2018, arXiv:1812.01718",
    ),
    "notmnist": Description(
        "9 804 letters A to J in many fonts, 28 x 28 grey values",
        "idx",
        (TRAIN_IMAGES, TRAIN_LABELS),
        (TEST_IMAGES, TEST_LABELS),
        "Bulatov 2011, notMNIST dataset",
    ),
    "cifar10": Description(
        "12 000 colour pictures of 10 classes (subset), 32 x 32",
        "pictures",
        ("cifar10_subset_train.npz",),
        ("cifar10_subset_test.npz",),
        "Krizhevsky 2009, Learning multiple layers of features from tiny images",
    ),
    "nmnist": Description(
        "1 100 recordings of digits by an event camera (subset), 34 x 34",
        "events",
        ("nmnist_train.npz",),
        ("nmnist_test.npz",),
        "Orchard, Jayawant, Cohen & Thakor 2015, Frontiers in Neuroscience 9, 437",
    ),
    "fsdd": Description(
        "3 000 spoken digits of 6 speakers, 8 kHz",
        "sounds",
        ("fsdd_8khz.npz",),
        ("fsdd_8khz.npz",),
        "Jackson et al., Free Spoken Digit Dataset, state of May 2024",
    ),
}
NAMES = tuple(KNOWN)
