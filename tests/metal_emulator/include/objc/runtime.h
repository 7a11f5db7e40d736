// Stands in for the system header on Linux: the part of the Objective-C runtime that metal-cpp names.
#pragma once

#include <cstddef>
#include <cstdint>

struct objc_class;
struct objc_selector;

// Complete, because NS::Object derives from it. Its contents belong to the emulator (objc_runtime.h).
struct objc_object {};

typedef struct objc_object* id;
typedef struct objc_class* Class;
typedef struct objc_selector* SEL;
typedef struct objc_object Protocol;

extern "C" {
SEL sel_registerName(const char* name);
void* objc_lookUpClass(const char* name);
void* objc_getProtocol(const char* name);
}
