#pragma once
#include <stddef.h>

/// Bytes of live allocations. Swift's Glibc module leaves out
/// <malloc.h>, hence this file.
size_t live_allocated_bytes(void);
