#ifndef CM_PREFETCH_H
#define CM_PREFETCH_H

// Asking for memory ahead of its use.

#include <stddef.h>

/// Asks for the cache lines of `length` bytes to be read, all at once: none waits for another, as it
/// does where what the first holds decides what is read next.
static inline void cm_prefetch(const void *bytes, size_t length) {
    for (size_t at = 0; at < length; at += 64) __builtin_prefetch((const char *)bytes + at, 0, 3);
}

/// Asks for the cache lines of `length` bytes to be had for writing, all at once. A processor that
/// does not know the instruction does nothing.
static inline void cm_prefetch_to_write(const void *bytes, size_t length) {
    for (size_t at = 0; at < length; at += 64) {
        const char *line = (const char *)bytes + at;
#if defined(__x86_64__)
        __asm__ volatile("prefetchw %0" : : "m"(*line));
#else
        __builtin_prefetch(line, 1, 3);
#endif
    }
}

#endif
