// Stands in for the system header on Linux.
#pragma once

typedef struct CGColorSpace* CGColorSpaceRef;
