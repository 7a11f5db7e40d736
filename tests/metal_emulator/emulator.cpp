// Puts the classes in place when the library is loaded, and answers for metal_emulator.h.
#include "metal_classes.h"
#include "metal_emulator.h"
#include "statistics.h"

namespace metal_emulator {
namespace {

const bool registered = [] {
  register_foundation_classes();
  register_device_classes();
  register_command_classes();
  register_encoder_classes();
  return true;
}();

}  // namespace
}  // namespace metal_emulator

extern "C" metal_emulator_statistics_t metal_emulator_statistics() {
  const auto& statistics = metal_emulator::statistics;
  return {statistics.libraries_compiled, statistics.libraries_from_cache, statistics.compile_microseconds,
          statistics.dispatches, statistics.execute_microseconds};
}
