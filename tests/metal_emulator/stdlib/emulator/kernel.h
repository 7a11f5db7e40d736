// How a kernel is called: from its type and the sources of its parameters (msl_rewriter.h finds them in the
// attributes) come a function that runs one thread, or one that runs a whole group in a loop, and a
// description of the parameters.
#pragma once
#pragma clang system_header

#include "../metal_emulator_abi.h"
#include "atomics.h"
#include "vectors.h"

// The linker's names for the ends of a section; null if no kernel of the library has threadgroup variables.
extern "C" {
extern const metal_emulator::StaticMemory __start_metal_threadgroup[]
    __attribute__((weak, visibility("hidden")));
extern const metal_emulator::StaticMemory __stop_metal_threadgroup[]
    __attribute__((weak, visibility("hidden")));
}

namespace metal_emulator {

template <Source source_, unsigned index_ = 0>
struct Slot {
  static constexpr Source source = source_;
  static constexpr unsigned index = index_;
};

template <class P>
METAL_FUNCTION P convert(unsigned value) {
  static_assert(__is_integral(P), "this parameter is one number");
  return static_cast<P>(value);
}

// A position or a size may be asked for in one, two or three dimensions.
template <class P>
METAL_FUNCTION P convert(Extent value) {
  if constexpr (metal::VectorTraits<P>::size == 1) {
    return static_cast<P>(value.x);
  } else if constexpr (metal::VectorTraits<P>::size == 2) {
    return metal::make_vector<P>(value.x, value.y);
  } else {
    return metal::make_vector<P>(value.x, value.y, value.z);
  }
}

METAL_FUNCTION Extent position_in_grid(const Group& group, const Thread& thread) {
  return {group.position.x * group.full_threads.x + thread.position.x,
          group.position.y * group.full_threads.y + thread.position.y,
          group.position.z * group.full_threads.z + thread.position.z};
}

template <class S, class P>
METAL_FUNCTION P argument(const Group& group, const Thread& thread) {
  using enum Source;
  constexpr Source source = S::source;
  if constexpr (source == buffer || source == Source::threadgroup_memory) {
    void* const memory = source == buffer ? group.buffers[S::index] : group.threadgroup[S::index];
    if constexpr (__is_reference(P)) {
      return *static_cast<metal::remove_reference_t<P>*>(memory);
    } else {
      return static_cast<P>(memory);
    }
  } else if constexpr (source == thread_position_in_grid) {
    return convert<P>(position_in_grid(group, thread));
  } else if constexpr (source == thread_position_in_threadgroup) {
    return convert<P>(thread.position);
  } else if constexpr (source == thread_index_in_threadgroup) {
    return convert<P>(thread.index);
  } else if constexpr (source == threadgroup_position_in_grid) {
    return convert<P>(group.position);
  } else if constexpr (source == threads_per_threadgroup) {
    return convert<P>(group.threads);
  } else if constexpr (source == dispatch_threads_per_threadgroup) {
    return convert<P>(group.full_threads);
  } else if constexpr (source == threadgroups_per_grid) {
    return convert<P>(group.groups);
  } else if constexpr (source == threads_per_grid) {
    return convert<P>(group.grid);
  } else if constexpr (source == thread_index_in_simdgroup) {
    return convert<P>(thread.index % kSimdWidth);
  } else if constexpr (source == simdgroup_index_in_threadgroup) {
    return convert<P>(thread.index / kSimdWidth);
  } else if constexpr (source == simdgroups_per_threadgroup) {
    return convert<P>((group.threads.x * group.threads.y * group.threads.z + kSimdWidth - 1) / kSimdWidth);
  } else {
    static_assert(source == threads_per_simdgroup);
    return convert<P>(kSimdWidth);
  }
}

template <class T>
inline constexpr bool is_atomic = false;
template <class T>
inline constexpr bool is_atomic<metal::atomic<T>> = true;

template <class S, class P>
constexpr Parameter describe(const char* name) {
  if constexpr (S::source == Source::buffer || S::source == Source::threadgroup_memory) {
    using Element = __remove_pointer(__remove_reference_t(P));
    static_assert(__is_reference(P) || !__is_same(Element, P),
                  "a parameter with [[buffer]] or [[threadgroup]] is a pointer or a reference");
    return {S::source,
            S::index,
            sizeof(Element),
            alignof(Element),
            __is_reference(P),
            !__is_const(Element),
            is_atomic<__remove_cv(Element)>,
            name};
  } else {
    return {S::source, 0, 0, 0, false, false, false, name};
  }
}

template <auto function, class Signature, class... S>
struct Thunk;

template <auto function, class... P, class... S>
struct Thunk<function, void (*)(P...), S...> {
  static_assert(sizeof...(P) == sizeof...(S));

  static void run_thread(const Group& group, const Thread& thread) {
    [[clang::always_inline]] function(argument<S, P>(group, thread)...);
  }

  // Runs along one axis of a group, forwards or backwards.
  struct Walk {
    int begin, end, step;
    METAL_FUNCTION Walk(unsigned size, bool reversed)
        : begin(reversed ? static_cast<int>(size) - 1 : 0),
          end(reversed ? -1 : static_cast<int>(size)),
          step(reversed ? -1 : 1) {}
  };

  static void run_group(const Group& group, bool reversed) {
    const Walk along_x(group.threads.x, reversed);
    const Walk along_y(group.threads.y, reversed);
    const Walk along_z(group.threads.z, reversed);
    Thread thread{};
    for (int z = along_z.begin; z != along_z.end; z += along_z.step) {
      for (int y = along_y.begin; y != along_y.end; y += along_y.step) {
        for (int x = along_x.begin; x != along_x.end; x += along_x.step) {
          thread.position = {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
          thread.index =
              (thread.position.z * group.threads.y + thread.position.y) * group.threads.x + thread.position.x;
          [[clang::always_inline]] function(argument<S, P>(group, thread)...);
        }
      }
    }
  }

  template <bool needs_fibers>
  static constexpr Kernel describe_kernel(const char* name, const Parameter* parameters,
                                          unsigned max_threads) {
    if constexpr (needs_fibers) {
      return {name,
              sizeof...(P),
              parameters,
              max_threads,
              true,
              __start_metal_threadgroup,
              __stop_metal_threadgroup,
              run_thread,
              nullptr};
    } else {
      return {name,
              sizeof...(P),
              parameters,
              max_threads,
              false,
              __start_metal_threadgroup,
              __stop_metal_threadgroup,
              nullptr,
              run_group};
    }
  }

  struct Parameters {
    Parameter all[sizeof...(P) + 1];
  };
  template <class... Names>
  static constexpr Parameters describe_parameters(Names... names) {
    return {{describe<S, P>(names)..., Parameter{}}};
  }
};

// A `threadgroup` variable of a kernel.
METAL_FUNCTION void* static_memory(unsigned slot) { return metal_emulator_thread->group->statics[slot]; }

}  // namespace metal_emulator

// What the rewriter puts behind a kernel. The names of the parameters come first, in parentheses, then their
// slots.
#define METAL_EMULATOR_KERNEL(name, fibers, max_threads, names, ...)                                        \
  using metal_emulator_thunk_##name =                                                                       \
      metal_emulator::Thunk<&name, decltype(&name) __VA_OPT__(, ) __VA_ARGS__>;                             \
  static constexpr auto metal_emulator_parameters_##name =                                                  \
      metal_emulator_thunk_##name::describe_parameters names;                                               \
  extern "C"                                                                                                \
      __attribute__((visibility("default"))) extern const metal_emulator::Kernel metal_kernel_##name =      \
          metal_emulator_thunk_##name::describe_kernel<fibers>(#name, metal_emulator_parameters_##name.all, \
                                                               max_threads);
#define METAL_EMULATOR_STATIC(kernel_name, slot, ...)                    \
  static const metal_emulator::StaticMemory metal_emulator_static_##slot \
      __attribute__((section("metal_threadgroup"), used)) = {#kernel_name, slot, sizeof(__VA_ARGS__)}
