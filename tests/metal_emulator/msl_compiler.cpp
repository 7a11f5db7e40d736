#include "msl_compiler.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>

#include "clang_process.h"
#include "msl_rewriter.h"
#include "objc_runtime.h"
#include "statistics.h"
#include "subprocess.h"

namespace metal_emulator {
namespace {

namespace fs = std::filesystem;

std::string setting(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

const std::string& clang() {
  static const std::string path = setting("METAL_EMULATOR_CLANG", METAL_EMULATOR_DEFAULT_CLANG);
  return path;
}

const std::string& linker() {
  static const std::string path = setting("METAL_EMULATOR_LINKER", METAL_EMULATOR_DEFAULT_LINKER);
  return path;
}

const std::string& stdlib() {
  static const std::string path = setting("METAL_EMULATOR_STDLIB", METAL_EMULATOR_DEFAULT_STDLIB);
  return path;
}

const std::string& cache_folder() {
  static const std::string path = [] {
    const std::string home = setting("XDG_CACHE_HOME", (setting("HOME", "/tmp") + "/.cache").c_str());
    std::string folder = setting("METAL_EMULATOR_CACHE", (home + "/mlx_metal_emulator").c_str());
    fs::create_directories(folder);
    return folder;
  }();
  return path;
}

// Two rounds of FNV-1a, 128 bits in all, as hexadecimal digits.
std::string digest(std::string_view content) {
  std::uint64_t words[2] = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};
  for (const unsigned char byte : content) {
    words[0] = (words[0] ^ byte) * 0x100000001b3u;
    words[1] = (words[1] ^ byte ^ 0x5a) * 0x100000001b3u;
  }
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)words[0],
                (unsigned long long)words[1]);
  return text;
}

// The newest instruction set that clang has a name for and this machine has; "" for the plainest.
std::string machine() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    return "-march=x86-64-v3";
  }
#endif
  return "";
}

std::vector<std::string> flags(MathMode mode) {
  std::vector<std::string> result = {
      "-std=c++20", "-O2", "-fPIC", "-fvisibility=hidden", "-fsigned-char", "-nostdinc", "-nostdinc++",
      "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-fno-asynchronous-unwind-tables", "-fno-ident",
      "-fno-stack-protector", "-fno-color-diagnostics", "-fno-threadsafe-statics", "-fno-strict-aliasing",
      // An index outside of an array of known size stops the kernel.
      "-fsanitize=array-bounds", "-fsanitize-trap=array-bounds",
      // 1.0 is a float in MSL, and half is rounded after each operation.
      "-Xclang", "-cl-single-precision-constant", "-Xclang", "-ffloat16-excess-precision=none", "-Xclang",
      "-fno-pch-timestamp",
      // Metal 3 is C++14: what is newer is an error in kernels, though not in the library.
      "-Wno-everything", "-Werror=pre-c++17-compat", "-isystem", stdlib()};
  if (const std::string target = machine(); !target.empty()) result.push_back(target);
  if (mode != MathMode::safe) result.push_back("-ffast-math");
  if (mode == MathMode::relaxed) result.push_back("-fno-finite-math-only");
  return result;
}

// Everything beside the kernel's text that decides what comes out of it.
std::string describe_toolchain() {
  std::string description = clang() + "\n" + METAL_EMULATOR_CLANG_VERSION + "\n" + linker() + "\n";
  std::vector<std::string> headers;
  for (const auto& entry : fs::recursive_directory_iterator(stdlib())) {
    if (entry.is_regular_file()) headers.push_back(entry.path().string());
  }
  std::sort(headers.begin(), headers.end());
  for (const std::string& header : headers) {
    description += header.substr(stdlib().size()) + "\n" + read_file(header);
  }
  return description;
}

const std::string& toolchain() {
  static const std::string description = digest(describe_toolchain());
  return description;
}

std::string join(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result += word + " ";
  return result;
}

// A name beside `target` that no other process and thread uses; what is written there is renamed when it is
// whole.
std::string scratch_name(const std::string& target) {
  static std::atomic<unsigned> counter{0};
  return target + "." + std::to_string(getpid()) + "." + std::to_string(counter++);
}

// The library's headers, parsed once for each set of flags. They lie at a path that clang remembers, so it
// counts too.
std::string precompiled_header(MathMode mode) {
  static std::mutex mutex;
  static std::map<MathMode, std::string> known;
  std::lock_guard lock(mutex);
  std::string& path = known[mode];
  if (!path.empty()) return path;
  const std::string name = cache_folder() + "/" + digest(toolchain() + join(flags(mode)) + stdlib()) + ".pch";
  if (!fs::exists(name)) {
    const std::string scratch = scratch_name(name);
    std::vector<std::string> command = {clang(), "-x",   "c++-header", stdlib() + "/metal_stdlib",
                                        "-o",    scratch};
    const std::vector<std::string> options = flags(mode);
    command.insert(command.end(), options.begin(), options.end());
    const Outcome outcome = run_clang(command, scratch + ".log");
    if (!outcome.succeeded) fatal("the headers of MSL do not compile:\n%s", outcome.messages.c_str());
    fs::rename(scratch, name);
  }
  return path = name;
}

// The text with its macros expanded, and lines as they were.
Outcome preprocess(const std::string& source, const std::string& scratch) {
  write_file(scratch + ".c", "#line 1 \"program_source\"\n" + without_includes(source));
  Outcome outcome = run_program(
      {clang(), "-E", "-x", "c++", "-std=c++20", "-nostdinc", "-D__METAL__=1", "-D__METAL_VERSION__=310",
       "-D__METAL_MACOS__=1", "-D__HAVE_BFLOAT__=1", scratch + ".c", "-o", scratch + ".i"},
      scratch + ".log");
  if (outcome.succeeded) outcome.messages = read_file(scratch + ".i");
  fs::remove(scratch + ".c");
  fs::remove(scratch + ".i");
  return outcome;
}

// Compiles what came out of the rewriter into `target`; returns clang's messages if that fails.
std::string build(const std::string& text, MathMode mode, const std::string& target) {
  const std::string scratch = scratch_name(target);
  const std::string header = precompiled_header(mode);
  write_file(scratch + ".cpp", text);
  std::vector<std::string> command = {clang(),          "-c", "-x",          "c++", "-include-pch", header,
                                      scratch + ".cpp", "-o", scratch + ".o"};
  const std::vector<std::string> options = flags(mode);
  command.insert(command.end(), options.begin(), options.end());
  const Outcome compiled = run_clang(command, scratch + ".log");
  if (!std::getenv("METAL_EMULATOR_KEEP")) fs::remove(scratch + ".cpp");
  if (!compiled.succeeded) return compiled.messages.empty() ? "clang failed" : compiled.messages;
  const Outcome linked = run_program(
      {linker(), "-shared", "-z", "noexecstack", "--build-id=none", scratch + ".o", "-o", scratch + ".so"},
      scratch + ".log");
  fs::remove(scratch + ".o");
  if (!linked.succeeded) return linked.messages.empty() ? "the linker failed" : linked.messages;
  fs::rename(scratch + ".so", target);
  return "";
}

// Kernels call the emulator and the mathematical functions by name, so these must be visible to libraries
// loaded later, even if Python has loaded the emulator privately.
void publish_symbols() {
  static const bool done = [] {
    Dl_info self;
    dladdr(reinterpret_cast<const void*>(&metal_emulator_exchange), &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    for (const char* library : {"libm.so.6", "libc.so.6", "libgcc_s.so.1"})
      dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    return true;
  }();
  static_cast<void>(done);
}

Compilation load(const std::string& path) {
  publish_symbols();
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, std::string("program_source: error: ") + dlerror()};
  return {std::make_shared<CompiledLibrary>(handle), ""};
}

Compilation compile_uncached(const std::string& source, MathMode mode, const std::string& target) {
  Rewritten rewritten = rewrite_msl(source);
  if (rewritten.needs_preprocessing) {
    const Outcome expanded = preprocess(source, scratch_name(target));
    if (!expanded.succeeded) return {nullptr, expanded.messages};
    rewritten = rewrite_msl(expanded.messages);
  }
  if (!rewritten.errors.empty()) return {nullptr, rewritten.errors};
  const std::string errors = build(rewritten.text, mode, target);
  if (!errors.empty()) return {nullptr, errors};
  ++statistics.libraries_compiled;
  return load(target);
}

}  // namespace

const Kernel* CompiledLibrary::find(const std::string& name) const {
  return static_cast<const Kernel*>(dlsym(handle_, ("metal_kernel_" + name).c_str()));
}

Compilation compile_msl(const std::string& source, MathMode mode) {
  static std::mutex mutex;
  static std::map<std::string, Compilation> loaded;
  const Stopwatch watch(statistics.compile_microseconds);
  const std::string key = digest(toolchain() + join(flags(mode)) + METAL_EMULATOR_REWRITER_VERSION + source);
  {
    std::lock_guard lock(mutex);
    if (const auto found = loaded.find(key); found != loaded.end()) return found->second;
  }
  const std::string target = cache_folder() + "/" + key + ".so";
  Compilation compilation;
  if (fs::exists(target)) {
    ++statistics.libraries_from_cache;
    compilation = load(target);
  } else {
    compilation = compile_uncached(source, mode, target);
  }
  if (compilation.library) {
    std::lock_guard lock(mutex);
    loaded.emplace(key, compilation);
  }
  return compilation;
}

}  // namespace metal_emulator
