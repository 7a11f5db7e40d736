// Stands in for the system header on Linux.
#pragma once

#include <cstdint>

typedef double CFTimeInterval;
typedef double CFAbsoluteTime;
typedef const struct __CFString* CFStringRef;
typedef const void* CFTypeRef;
