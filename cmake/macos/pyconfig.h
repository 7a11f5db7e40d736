// Included before Python.h: its configuration, which was made for the machine that builds, and what is different
// on a Mac. Python itself (pymacconfig.h) corrects the sizes of types and the order of bytes.
#pragma once
#include <pyconfig.h>

#undef HAVE_CRYPT_H
#undef HAVE_STAT_TV_NSEC
