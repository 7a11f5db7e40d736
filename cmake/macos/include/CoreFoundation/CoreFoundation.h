// What metal-cpp reads of Core Foundation, for builds without Apple's SDK.
#pragma once

typedef double CFTimeInterval;
