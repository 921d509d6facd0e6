"""Image files against imgtool: what it signs is trusted; everything else is refused by name."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import UsageError
from firmware_bridge.flash.check import (
    TrustedImage,
    require_board,
    require_no_downgrade,
    trusted_image,
)
from firmware_bridge.flash.errors import (
    DowngradeError,
    FlashError,
    ImageAlteredError,
    ImageFormatError,
    ImageTruncatedError,
    SignatureError,
    WrongBoardError,
)
from firmware_bridge.flash.image import Version, parse
from firmware_bridge.flash.signature import load_keys, signer
from tests.firmware_bridge.flash.signing import (
    BOARD,
    HEADER_BYTES,
    KEY_TYPES,
    KeyPair,
    make_key,
    run_imgtool,
    sign,
)

BODY = bytes(range(256)) * 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_key(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def signed(site: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sign(tmp_path_factory.mktemp("signed"), BODY, site)


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_images_that_imgtool_signs_are_trusted(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path, kind=kind)
    stranger = make_key(tmp_path, "stranger")
    path = sign(tmp_path, BODY, key)
    trusted = trusted_image(path, load_keys([stranger.public, key.public]))
    assert trusted.signed_with == "site.pem"
    assert (trusted.image.version, trusted.image.board) == (Version(1, 2, 3, 4), BOARD)
    assert run_imgtool("verify", "-k", key.public, path) == 0


def test_the_options_of_imgtool_that_change_the_signature_are_understood(tmp_path: Path) -> None:
    ecdsa = make_key(tmp_path, "ecdsa", "ecdsa-p256")
    edwards = make_key(tmp_path, "edwards")
    for key, options in (
        (ecdsa, ["--pad-sig"]),
        (ecdsa, ["--public-key-format", "full"]),
        (edwards, ["--sha", "512"]),
        (ecdsa, ["--security-counter", "7"]),
    ):
        path = sign(tmp_path, BODY, key, *options)
        assert trusted_image(path, load_keys([key.public])).signed_with == key.public.name


def test_an_image_signed_by_a_stranger_is_refused_with_both_names(
    tmp_path: Path, site: KeyPair
) -> None:
    stranger = make_key(tmp_path, "stranger")
    path = sign(tmp_path, BODY, stranger)
    with pytest.raises(SignatureError, match=r"does not trust: it trusts site\.pem"):
        trusted_image(path, load_keys([site.public.parent]))


def test_an_unsigned_image_is_refused(tmp_path: Path, site: KeyPair) -> None:
    path = sign(tmp_path, BODY, None)
    with pytest.raises(SignatureError, match="is not signed"):
        trusted_image(path, load_keys([site.public]))


def test_a_signature_moved_from_another_image_is_false(tmp_path: Path, site: KeyPair) -> None:
    ours = sign(tmp_path, BODY, site).read_bytes()
    other = sign(tmp_path, BODY[::-1], site, version="2.0.0").read_bytes()
    moved = ours[:-64] + other[-64:]  # the signature is the last TLV
    with pytest.raises(SignatureError, match="its signature is false"):
        signer(parse(moved), load_keys([site.public]))


def test_without_keys_nothing_is_trusted(signed: Path) -> None:
    with pytest.raises(SignatureError, match="no key"):
        trusted_image(signed, ())


def test_private_keys_and_other_files_are_no_keys(tmp_path: Path, site: KeyPair) -> None:
    with pytest.raises(UsageError, match="private key, which does not belong here"):
        load_keys([site.private])
    text = tmp_path / "no.pem"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(UsageError, match="no public key"):
        load_keys([text])
    with pytest.raises(UsageError, match="cannot be read"):
        load_keys([tmp_path / "missing.pem"])


def test_what_is_no_image_is_named(tmp_path: Path, site: KeyPair) -> None:
    with pytest.raises(ImageFormatError, match="begins with 7f454c46"):
        parse(b"\x7fELF" + bytes(100))
    with pytest.raises(ImageFormatError, match="no signature covers"):
        parse(sign(tmp_path, BODY, site, "--pad").read_bytes())
    encrypted = bytearray(sign(tmp_path, BODY, site).read_bytes())
    struct.pack_into("<I", encrypted, 16, 0x04)
    with pytest.raises(ImageFormatError, match="encrypted"):
        parse(bytes(encrypted))


def test_a_cut_file_is_told_from_a_changed_one(signed: Path) -> None:
    whole = signed.read_bytes()
    for length in (0, 5, HEADER_BYTES + 10, len(whole) - 100, len(whole) - 1):
        with pytest.raises(ImageTruncatedError):
            parse(whole[:length])
    body_flipped = bytearray(whole)
    body_flipped[HEADER_BYTES + 600] ^= 1
    with pytest.raises(ImageAlteredError, match="has changed since it was signed"):
        parse(bytes(body_flipped))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(signed: Path, site: KeyPair, data: st.DataObject) -> None:
    """A KEYHASH is a hint that nothing depends on; every other bit counts."""
    whole = bytearray(signed.read_bytes())
    key_hash_at = bytes(whole).index(struct.pack("<HH", 0x01, 32)) + 4
    position = data.draw(
        st.integers(0, len(whole) - 1).filter(lambda p: not 0 <= p - key_hash_at < 32)
    )
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    keys = load_keys([site.public])
    try:
        image = parse(bytes(whole))
        signer(image, keys)
    except FlashError:
        return
    # What still passes lies outside of everything that is signed and must mean the same.
    assert position >= image.signed_size
    assert image.signed_part == signed.read_bytes()[: image.signed_size]


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_behind_a_header_s_magic_end_in_a_flash_error(noise: bytes) -> None:
    with pytest.raises(FlashError):
        parse(b"\x3d\xb8\xf3\x96" + noise)


def trusted(folder: Path, site: KeyPair, board: str | None) -> TrustedImage:
    return trusted_image(sign(folder, BODY, site, board=board), load_keys([site.public]))


def test_boards_must_match_and_be_known(tmp_path: Path, site: KeyPair) -> None:
    named = trusted(tmp_path, site, BOARD).image
    require_board(named, BOARD)
    with pytest.raises(WrongBoardError, match="for ecg_board, the device is mps2/an385"):
        require_board(named, "mps2/an385")
    with pytest.raises(WrongBoardError, match="say --board"):
        require_board(named, None)
    with pytest.raises(WrongBoardError, match="custom-tlv"):
        require_board(trusted(tmp_path, site, None).image, BOARD)


def test_only_an_older_version_is_a_downgrade(tmp_path: Path, site: KeyPair) -> None:
    image = trusted(tmp_path, site, BOARD).image  # 1.2.3+4
    require_no_downgrade(image, Version.parse("1.2.3"))
    require_no_downgrade(image, Version.parse("1.2.3.4"))
    with pytest.raises(DowngradeError, match=r"1\.2\.3\+4, the device already runs 1\.10\.0"):
        require_no_downgrade(image, Version.parse("1.10.0"))


@pytest.mark.parametrize("text", ["", "1.x", "1.2.3.4.5", "-1.0.0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"version|invalid literal"):
        Version.parse(text)
