#pragma once
// Thread-local variables that are read in every call.

// One load instead of a call of the loader's. The room for such variables is small and shared by all
// libraries of a process (glibc: 1,664 bytes), so they are pointers and flags, never whole objects.
#define MLX_FAST_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local
