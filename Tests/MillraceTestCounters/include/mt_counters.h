#ifndef MT_COUNTERS_H
#define MT_COUNTERS_H

/// Counts what a hot path must not do: allocate, lock, touch reference counts.
///
/// Linking this target puts its own `malloc` and friends, `pthread` locks and `syscall` in front
/// of libc's, and its own retains and releases in front of the Swift runtime's, for the whole
/// program. Each counts for the calling thread and passes on. Builds with the address or the
/// thread sanitizer, which do the same with memory and locks, count only references.

#include <stdbool.h>
#include <stdint.h>

/// What the calling thread has done since it began.
typedef struct {
    /// `malloc`, `calloc`, `realloc`, `posix_memalign`, `aligned_alloc`.
    uint64_t allocations;
    /// `free` of something.
    uint64_t frees;
    /// Mutexes and read-write locks taken or tried, condition waits, and futex calls. An
    /// uncontended `Synchronization.Mutex` is one inlined compare-exchange, which nothing counts.
    uint64_t locks;
    /// Retains of Swift objects that the compiler put into this program.
    uint64_t retains;
    /// Releases of them.
    uint64_t releases;
} mt_counts;

/// Whether allocations and locks are counted in this build.
bool mt_counts_allocations(void);

/// The calling thread's counts.
mt_counts mt_counts_now(void);

/// Runs `work` in a forked child that may make no system call but the one that ends it; whether it
/// came to its end. Threads that the process has besides are not in the child, so `work` must not
/// wait for a lock of theirs.
bool mt_runs_without_system_calls(void (*work)(void *), void *context);

#endif
