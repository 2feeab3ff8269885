#define _GNU_SOURCE
#include "ml_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// Since Linux 5.14; the C library of some supported systems is older.
#define ML_MADV_POPULATE_WRITE 23

int ml_pin_to_cpu(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

int ml_allowed_cpus(uint64_t *mask, size_t words) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return -errno;
    memset(mask, 0, words * sizeof *mask);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && cpu < words * 64; cpu++)
        if (CPU_ISSET(cpu, &set)) mask[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    return 0;
}

int ml_current_cpu(void) { return sched_getcpu(); }

int ml_thread_id(void) { return (int)syscall(SYS_gettid); }

void ml_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int32_t ml_observer_count;

void ml_count_observers(int32_t change) {
    __atomic_fetch_add(&ml_observer_count, change, __ATOMIC_SEQ_CST);
}

int ml_allocate(int fd, int64_t offset, int64_t length) {
    return fallocate(fd, 0, offset, length) == 0 ? 0 : -errno;
}

int ml_rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    // A file system that does not know how: the same in two steps, of which the first decides.
    if (link(from, to) != 0) return -errno;
    return unlink(from) == 0 ? 0 : -errno;
}

int ml_start_writeback(int fd, int64_t offset, int64_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int ml_populate(void *address, size_t length) {
    return madvise(address, length, ML_MADV_POPULATE_WRITE) == 0 ? 0 : -errno;
}

static struct flock byte_lock(int type, int64_t offset) {
    struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
    return lock;
}

int ml_try_lock(int fd, int64_t offset) {
    struct flock lock = byte_lock(F_WRLCK, offset);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    return errno == EAGAIN || errno == EACCES ? 1 : -errno;
}

int ml_try_shared_lock(int fd, int64_t offset) {
    struct flock lock = byte_lock(F_RDLCK, offset);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    return errno == EAGAIN || errno == EACCES ? 1 : -errno;
}

int ml_unlock(int fd, int64_t offset) {
    struct flock lock = byte_lock(F_UNLCK, offset);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}

int ml_is_locked(int fd, int64_t offset) {
    struct flock lock = byte_lock(F_WRLCK, offset);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 ? lock.l_type != F_UNLCK : -errno;
}

int ml_pidfd_open(int pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0 ? (int)fd : -errno;
}

int ml_watch_open(void) {
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int ml_watch_directory(int fd, const char *path) {
    uint32_t changes = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR;
    return inotify_add_watch(fd, path, changes) >= 0 ? 0 : -errno;
}

int ml_event_open(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int ml_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    long woken = syscall(SYS_futex, word, FUTEX_WAIT, expected, &limit, NULL, 0);
    return woken == 0 ? 0 : -errno;
}

int ml_futex_wake_all(const uint32_t *word) {
    long woken = syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return woken >= 0 ? (int)woken : -errno;
}
