// NSString, NSError and NSAutoreleasePool, as far as a Metal backend uses them.
#pragma once

#include <string>

#include "objc_runtime.h"

namespace metal_emulator {

struct String : Object {
  static constexpr const char* kClassName = "NSString";
  std::string text{};
};

struct Error : Object {
  static constexpr const char* kClassName = "NSError";
  Owned<String> domain{};
  std::int64_t code = 0;
  Owned<String> description{};
};

// Autoreleased objects, as methods return that do not begin with new, alloc or copy.
String* string(std::string text);
Error* error(const char* domain, std::int64_t code, std::string description);

void register_foundation_classes();

}  // namespace metal_emulator
