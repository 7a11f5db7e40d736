"""Reads what the tests ask of a Mach-O file (64 bits, little-endian): load commands, symbols, signature."""

import hashlib
import struct
from dataclasses import dataclass, field
from pathlib import PurePosixPath

MAGIC = 0xFEEDFACF
CPU_ARM64 = 0x0100000C
FILETYPE_DYLIB, FILETYPE_BUNDLE = 6, 8
PLATFORM_MACOS = 1

LC_SYMTAB = 0x2
LC_LOAD_DYLIB = 0xC
LC_ID_DYLIB = 0xD
LC_CODE_SIGNATURE = 0x1D
LC_BUILD_VERSION = 0x32
LC_LOAD_WEAK_DYLIB = 0x80000018

# Of a symbol's n_type and n_desc.
N_STAB, N_TYPE, N_EXT, N_UNDF = 0xE0, 0x0E, 0x01, 0x0
N_WEAK_REF = 0x40
# Apple's linker writes 0xFE for what is left to be found in the process, Zig's 0.
DYNAMIC_LOOKUP_ORDINALS = (0xFE, 0)

SIGNATURE_MAGIC, CODE_DIRECTORY_MAGIC = 0xFADE0CC0, 0xFADE0C02
HASH_SHA256 = 2


@dataclass
class Import:
    name: str
    library: str | None  # None: whoever in the process has it
    weak: bool


@dataclass
class MachO:
    data: bytes
    cpu: int = 0
    filetype: int = 0
    platform: int | None = None
    minimum_os: tuple[int, int] | None = None
    install_name: str | None = None
    libraries: list[str] = field(default_factory=list)
    exports: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    debug_symbols: int = 0
    signature: bytes = b""

    def __post_init__(self) -> None:
        magic, self.cpu, _, self.filetype, count, _, _, _ = struct.unpack_from("<8I", self.data)
        if magic != MAGIC:
            raise ValueError(f"not a 64-bit Mach-O file: it begins with {magic:#x}")
        offset = 32
        for _ in range(count):
            command, size = struct.unpack_from("<2I", self.data, offset)
            self._read_command(command, self.data[offset : offset + size])
            offset += size
        self._read_symbols()

    def _read_command(self, command: int, body: bytes) -> None:
        if command in (LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB):
            self.libraries.append(_text(body, struct.unpack_from("<I", body, 8)[0]))
        elif command == LC_ID_DYLIB:
            self.install_name = _text(body, struct.unpack_from("<I", body, 8)[0])
        elif command == LC_BUILD_VERSION:
            self.platform, version = struct.unpack_from("<2I", body, 8)
            self.minimum_os = (version >> 16, version >> 8 & 0xFF)
        elif command == LC_SYMTAB:
            self._symbol_table = struct.unpack_from("<4I", body, 8)
        elif command == LC_CODE_SIGNATURE:
            start, size = struct.unpack_from("<2I", body, 8)
            self.signature = self.data[start : start + size]

    def _read_symbols(self) -> None:
        start, count, strings, _ = self._symbol_table
        for i in range(count):
            name_at, kind, _, description, _ = struct.unpack_from("<IBBHQ", self.data, start + 16 * i)
            if kind & N_STAB:
                self.debug_symbols += 1
            elif kind & N_EXT and kind & N_TYPE == N_UNDF:
                name, library = _text(self.data, strings + name_at), self._library(description >> 8)
                self.imports.append(Import(name, library, bool(description & N_WEAK_REF)))
            elif kind & N_EXT:
                self.exports.add(_text(self.data, strings + name_at))

    def _library(self, ordinal: int) -> str | None:
        return None if ordinal in DYNAMIC_LOOKUP_ORDINALS else PurePosixPath(self.libraries[ordinal - 1]).name

    def damaged_pages(self) -> list[int]:
        """The pages whose hash is not the one that was signed; ValueError if none is signed by SHA-256."""
        directory = self._code_directory()
        hashes, _, _, pages, end = struct.unpack_from(">5I", directory, 16)
        hash_size, hash_type, _, page_bits = struct.unpack_from("4B", directory, 36)
        if hash_type != HASH_SHA256:
            raise ValueError(f"signed by a hash of type {hash_type}")
        page = 1 << page_bits
        if pages != -(-end // page):
            raise ValueError(f"{pages} pages of {page} bytes are signed of {end} bytes")
        return [
            i
            for i in range(pages)
            if hashlib.sha256(self.data[i * page : min((i + 1) * page, end)]).digest()
            != directory[hashes + hash_size * i : hashes + hash_size * (i + 1)]
        ]

    def _code_directory(self) -> bytes:
        if len(self.signature) < 12 or struct.unpack_from(">I", self.signature)[0] != SIGNATURE_MAGIC:
            raise ValueError("the file is not signed")
        for i in range(struct.unpack_from(">I", self.signature, 8)[0]):
            start = struct.unpack_from(">I", self.signature, 16 + 8 * i)[0]
            magic, size = struct.unpack_from(">2I", self.signature, start)
            if magic == CODE_DIRECTORY_MAGIC:
                return self.signature[start : start + size]
        raise ValueError("the signature has no code directory")


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
