// Stands in for the system header on Linux: the entry points of message sends (../../trampoline.S).
#pragma once

#include <objc/runtime.h>

extern "C" {
void objc_msgSend(void);
void objc_msgSend_stret(void);
void objc_msgSend_fpret(void);
}
