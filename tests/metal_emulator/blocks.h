// Blocks, the closures of Objective-C, as the runtime sees them.
#pragma once

namespace metal_emulator {

void* copy_block(const void* block);
void release_block(const void* block);
// Calls a block that takes one pointer.
void call_block(const void* block, void* argument);

}  // namespace metal_emulator
