#ifndef ML_LINUX_H
#define ML_LINUX_H

/// GNU-only system calls that Swift's Glibc module does not show. Each returns what the call
/// returns, or a negative errno, so that the Swift side need not read `errno` separately.

#include <stddef.h>
#include <stdint.h>

/// Binds the calling thread to one CPU. 0 or -errno.
int ml_pin_to_cpu(int cpu);

/// Fills `mask` (`words` x 64 bits) with the CPUs the calling thread may use. 0 or -errno.
int ml_allowed_cpus(uint64_t *mask, size_t words);

/// The CPU the calling thread runs on now.
int ml_current_cpu(void);

/// Kernel thread id of the calling thread.
int ml_thread_id(void);

/// Names the calling thread; the kernel keeps the first 15 bytes.
void ml_name_thread(const char *name);

/// How many observers of files are installed in this process; read it through `ml_is_observed`.
extern int32_t ml_observer_count;

/// Whether anybody observes files in this process: one relaxed load, for the hottest paths.
static inline int ml_is_observed(void) {
    return __builtin_expect(__atomic_load_n(&ml_observer_count, __ATOMIC_RELAXED) != 0, 0);
}

/// Adds to the number of installed observers.
void ml_count_observers(int32_t change);

/// Reserves blocks for [offset, offset + length) and extends the file. 0 or -errno.
int ml_allocate(int fd, int64_t offset, int64_t length);

/// Renames unless there is something of the new name; -EEXIST then. 0 or -errno.
int ml_rename_new(const char *from, const char *to);

/// Starts writing [offset, offset + length) to the disk without waiting for it. 0 or -errno.
int ml_start_writeback(int fd, int64_t offset, int64_t length);

/// Faults in a page-aligned, writable part of a mapping, blocks included.
/// 0 or -errno (-EINVAL: the kernel does not know how).
int ml_populate(void *address, size_t length);

/// Takes an exclusive open-file-description lock on one byte without waiting.
/// 0 when taken, 1 when another description holds it, -errno otherwise.
int ml_try_lock(int fd, int64_t offset);

/// Takes a shared open-file-description lock on one byte without waiting; any number may hold it.
/// 0 when taken, 1 when another description holds the exclusive one, -errno otherwise.
int ml_try_shared_lock(int fd, int64_t offset);

/// Gives the lock on one byte back, also for a child that inherited the description. 0 or -errno.
int ml_unlock(int fd, int64_t offset);

/// Whether another open file description holds a lock on one byte. 0, 1 or -errno.
int ml_is_locked(int fd, int64_t offset);

/// A descriptor that becomes readable when process `pid` dies. The descriptor or -errno.
int ml_pidfd_open(int pid);

/// A descriptor that becomes readable when what it watches changes. The descriptor or -errno.
int ml_watch_open(void);

/// Watches for files and directories that are made in, removed from or renamed into a directory;
/// does nothing where it is watched already. 0 or -errno.
int ml_watch_directory(int fd, const char *path);

/// A descriptor that becomes readable once something was written to it. The descriptor or -errno.
int ml_event_open(void);

/// Sleeps while `*word == expected`, at most `nanoseconds`. Shared between processes.
/// 0 when woken, or -errno (-EAGAIN: the value differed; -ETIMEDOUT).
int ml_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds);

/// Wakes every sleeper on `word`. Number woken or -errno.
int ml_futex_wake_all(const uint32_t *word);

#endif
