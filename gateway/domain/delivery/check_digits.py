"""Check digits of parcel numbers. Each function takes a well-formed number, in capitals without blanks."""

from itertools import cycle


def gs1_checks(code: str) -> bool:
    """Return whether the last digit is GS1's mod 10 check digit of the others (weights 3, 1 from the right)."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code)))
    return total % 10 == 0


def s10_checks(code: str) -> bool:
    """Return whether the ninth digit of an S10 identifier is UPU's check digit of the eight before it."""
    digits = [int(digit) for digit in code[2:11]]
    key = 11 - sum(w * d for w, d in zip((8, 6, 4, 2, 3, 5, 9, 7), digits[:8], strict=True)) % 11
    return digits[8] == {10: 0, 11: 5}.get(key, key)


def ups_checks(code: str) -> bool:
    """Return whether the last digit of a 1Z number is its check digit; letters count as (ASCII - 3) mod 10."""
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in code[2:17]]
    total = sum(value * (2 if place % 2 else 1) for place, value in enumerate(values))
    return int(code[17]) == -total % 10


def colissimo_checks(code: str) -> bool:
    """Return whether the last digit of a Colissimo number is the key of the ten before it."""
    digits = [int(digit) for digit in code[2:12]]
    total = 3 * sum(digits[1::2]) + sum(digits[0::2])
    return int(code[12]) == -total % 10


def fedex_checks(number: str) -> bool:
    """Return whether the last of 12 digits is FedEx's check digit (weights 1, 3, 7 from the right)."""
    total = sum(int(digit) * weight for digit, weight in zip(reversed(number[:-1]), cycle((1, 3, 7)), strict=False))
    return int(number[-1]) == total % 11 % 10


def mondial_relay_checks(code: str) -> bool:
    """Return whether digits 15 and 26 of a Mondial Relay code are the check digits of the digits before each."""
    return _mod11_digit(code[:14]) == int(code[14]) and _mod11_digit(code[15:25]) == int(code[25])


def _mod11_digit(digits: str) -> int:
    total = sum(int(digit) * weight for digit, weight in zip(reversed(digits), cycle(range(2, 8)), strict=False))
    return 0 if total % 11 < 2 else 11 - total % 11  # 11 minus the rest; a result of two digits gives 0
