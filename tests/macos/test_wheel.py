"""What can be said of the wheel for macOS without a Mac. `make wheel-macos` builds it and runs this."""

import sys
import zipfile
from pathlib import Path

import pytest
from mach_o import CPU_ARM64, FILETYPE_BUNDLE, FILETYPE_DYLIB, PLATFORM_MACOS, MachO

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "cmake"))
from generate_kernel_texts import text_of  # noqa: E402

PYTHON = f"{sys.version_info.major}{sys.version_info.minor}"
MODULE = f"mlx/_C.cpython-{PYTHON}-darwin.so"
# Functions of macOS 10.11 and 10.13. All else that is taken from Metal may be missing on macOS 14.
METAL_FUNCTIONS = {
    "_MTLCreateSystemDefaultDevice",
    "_MTLCopyAllDevices",
    "_MTLCopyAllDevicesWithObserver",
    "_MTLRemoveDeviceObserver",
}


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    found = sorted(ROOT.glob("dist/*macosx*.whl"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip("dist/ has no wheel for macOS; `make wheel-macos` builds it")
    return zipfile.ZipFile(found[-1])


@pytest.fixture(scope="module")
def module(wheel: zipfile.ZipFile) -> MachO:
    return MachO(wheel.read(MODULE))


def test_tag(wheel):
    tag = f"cp{PYTHON}-cp{PYTHON}-macosx_14_0_arm64"
    assert Path(wheel.filename).stem.endswith(tag)
    description = next(name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    lines = wheel.read(description).decode().splitlines()
    assert [line for line in lines if line.startswith("Tag:")] == [f"Tag: {tag}"]
    assert "Root-Is-Purelib: false" in lines


def test_the_module_is_for_arm64_and_macos_14(module):
    assert module.cpu == CPU_ARM64
    assert module.filetype in (FILETYPE_DYLIB, FILETYPE_BUNDLE)
    assert module.platform == PLATFORM_MACOS
    assert module.minimum_os == (14, 0)


def test_the_module_loads_frameworks_and_system_libraries_alone(module):
    frameworks = {path for path in module.libraries if path.startswith("/System/Library/Frameworks/")}
    assert {Path(path).name for path in frameworks} == {"Accelerate", "Foundation", "Metal"}
    assert set(module.libraries) - frameworks <= {"/usr/lib/libSystem.B.dylib", "/usr/lib/libobjc.A.dylib"}


def test_the_module_can_be_imported(module):
    assert "_PyInit__C" in module.exports


def test_only_python_is_left_to_be_found_in_the_process(module):
    loose = {symbol.name for symbol in module.imports if symbol.library is None}
    assert loose
    assert {name for name in loose if not name.startswith(("_Py", "__Py"))} == set()


def test_products_and_factorisations_are_those_of_the_new_accelerate(module):
    names = {symbol.name for symbol in module.imports if symbol.library == "Accelerate"}
    assert {"_cblas_sgemm$NEWLAPACK", "_dgetrf$NEWLAPACK", "_zgesdd$NEWLAPACK"} <= names
    assert {name for name in names if not name.endswith("$NEWLAPACK")} == set()


def test_metal_is_used_and_needs_nothing_newer_than_macos_14(module):
    names = {symbol.name for symbol in module.imports if symbol.library == "Metal" and not symbol.weak}
    assert "_MTLCreateSystemDefaultDevice" in names
    assert names <= METAL_FUNCTIONS
    assert {s.name for s in module.imports if s.library == "Foundation" and not s.weak} == set()


@pytest.mark.parametrize("source", sorted(ROOT.glob("metal/*.metal")), ids=lambda path: path.stem)
def test_the_text_of_each_kernel_travels(module, source):
    assert text_of(source).encode() in module.data


def test_metal_cpp_keeps_to_itself(module):
    assert {name for name in module.exports if "3MTL" in name or "2NS" in name} == set()


def test_the_signature_holds(module):
    assert module.damaged_pages() == []


def test_a_changed_byte_breaks_the_signature(module):
    changed = bytearray(module.data)
    changed[0x4000 + 1] ^= 1
    assert MachO(bytes(changed)).damaged_pages() != []


def test_the_module_knows_nothing_of_the_machine_that_built_it(module):
    assert module.debug_symbols == 0
    for place in (ROOT, Path.home(), Path(sys.prefix), Path(sys.base_prefix)):
        assert str(place).encode() not in module.data
    assert module.install_name in (None, Path(MODULE).name)


def test_the_wheel_holds_no_other_machine_code(wheel):
    formats = (b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"!<arch>", b"MZ")
    code = [name for name in wheel.namelist() if wheel.read(name).startswith(formats)]
    assert code == [MODULE]


def test_the_wheel_holds_the_whole_package(wheel):
    sources = {f"mlx/{path.relative_to(ROOT / 'python/mlx')}" for path in (ROOT / "python/mlx").rglob("*.py")}
    assert sources <= set(wheel.namelist())
    assert "mlx/_C.pyi" in wheel.namelist()
