// Stands in for the system header on Linux: the names of libdispatch that metal-cpp's declarations mention.
#pragma once

typedef struct dispatch_queue_s* dispatch_queue_t;
typedef struct dispatch_data_s* dispatch_data_t;
