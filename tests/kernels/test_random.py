"""Philox4x32-10 against the known answers of the Random123 distribution (file kat_vectors)."""

import pytest

from fastmlp._core import kernels

KNOWN_ANSWERS = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "bits"), KNOWN_ANSWERS)
def test_known_answers(target, counter, key, bits):
    low, high = words(key)
    assert kernels.random_bits(target, low | high << 32, words(counter)).tolist() == words(bits)
