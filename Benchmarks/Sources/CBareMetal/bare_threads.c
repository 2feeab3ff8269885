// Two threads, and the writes of one row.

#define _GNU_SOURCE
#include "bare_metal.h"
#include "bare_time.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

int bare_pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)core, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

static struct {
    uint64_t ping __attribute__((aligned(128)));
    uint64_t pong __attribute__((aligned(128)));
    size_t rounds __attribute__((aligned(128)));
    int core;
} shared;

static void wait_for(const uint64_t *word, uint64_t value) {
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) __builtin_ia32_pause();
}

static void *answer(void *unused) {
    (void)unused;
    bare_pin(shared.core);
    for (size_t round = 1; round <= shared.rounds; round++) {
        wait_for(&shared.ping, round);
        __atomic_store_n(&shared.pong, round, __ATOMIC_RELEASE);
    }
    return NULL;
}

int bare_ping_pong(int first, int second, size_t rounds, int64_t *times) {
    shared.ping = shared.pong = 0;
    shared.rounds = rounds;
    shared.core = second;
    pthread_t thread;
    int code = pthread_create(&thread, NULL, answer, NULL);
    if (code != 0) return -code;
    bare_pin(first);
    for (size_t round = 1; round <= rounds; round++) {
        int64_t start = bare_now();
        __atomic_store_n(&shared.ping, round, __ATOMIC_RELEASE);
        wait_for(&shared.pong, round);
        times[round - 1] = (bare_now() - start) / 2;
    }
    pthread_join(thread, NULL);
    return 0;
}

int bare_small_writes(const char *path, size_t bytes, size_t count, int64_t *times) {
    static uint8_t source[4096];
    if (bytes > sizeof source) return -EINVAL;
    unlink(path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return -errno;
    int result = fallocate(file, 0, 0, (off_t)(bytes * count)) == 0 ? 0 : -errno;
    for (size_t turn = 0; turn < count && result == 0; turn++) {
        int64_t start = bare_now();
        if (pwrite(file, source, bytes, (off_t)(turn * bytes)) != (ssize_t)bytes) result = -EIO;
        times[turn] = bare_now() - start;
    }
    close(file);
    return result;
}
