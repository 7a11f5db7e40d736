// What a test may ask of the emulator, beside Metal itself. All functions are exported from
// libmlx_metal_emulator.so.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How many objects are alive, of one class ("MTLBuffer") or of all (null). The device counts as long as it is
// retained.
size_t metal_emulator_live_objects(const char* class_name);

// Writes a line for each class that has live objects, and for each live buffer, to stderr; returns their
// number.
size_t metal_emulator_report_live_objects();

// The next command buffer that would run fails instead, with this text as its error's description. Its work
// is not done. The environment variable METAL_EMULATOR_FAIL does the same for the first command buffer of the
// process.
void metal_emulator_fail_next_command_buffer(const char* description);

// Counters since the start of the process.
typedef struct {
  uint64_t libraries_compiled;    // by clang
  uint64_t libraries_from_cache;  // from the cache on disk
  uint64_t compile_microseconds;  // spent in newLibraryWithSource
  uint64_t dispatches;
  uint64_t execute_microseconds;  // spent running kernels
} metal_emulator_statistics_t;
metal_emulator_statistics_t metal_emulator_statistics();

#ifdef __cplusplus
}
#endif
