// Runs dispatches: the groups of one side by side on the cores of the machine.
#pragma once

#include "dispatch.h"

namespace metal_emulator {

// With METAL_EMULATOR_RACES set, twice: the second time with threads in the opposite order, to compare the
// results.
void execute(const Dispatch& dispatch);

}  // namespace metal_emulator
