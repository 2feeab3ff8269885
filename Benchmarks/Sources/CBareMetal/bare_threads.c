// Two threads, and the writes of one row.

#define _GNU_SOURCE
#include "bare_metal.h"
#include "bare_time.h"

// The checksum is part of every program that links Millrace.
#include "../../../Sources/CMillraceKernels/include/cm_crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
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

enum { HEADER = 128 };

static struct {
    uint8_t *place;
    size_t bytes;
    int64_t *seen;
} handing;

// Looks at what was published, verifies it, and answers.
static void *verify(void *unused) {
    (void)unused;
    bare_pin(shared.core);
    for (size_t round = 1; round <= shared.rounds; round++) {
        wait_for(&shared.ping, round);
        const uint8_t *batch = handing.place + (round - 1) * handing.bytes;
        uint32_t sums[2];
        memcpy(sums, batch, sizeof sums);
        int holds = cm_crc32c(0, batch + 12, HEADER - 12) == sums[0] &&
                    cm_crc32c(0, batch + HEADER, handing.bytes - HEADER) == sums[1];
        handing.seen[round - 1] = holds ? bare_now() : 0;
        __atomic_store_n(&shared.pong, round, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void hand_over(size_t round, uint8_t *source) {
    uint32_t sums[2];
    source[HEADER] = (uint8_t)round;
    sums[1] = cm_crc32c(0, source + HEADER, handing.bytes - HEADER);
    memcpy(source + 4, &sums[1], 4);
    sums[0] = cm_crc32c(0, source + 12, HEADER - 12);
    memcpy(source, &sums[0], 4);
    memcpy(handing.place + (round - 1) * handing.bytes, source, handing.bytes);
    uint64_t before = round - 1;
    __atomic_compare_exchange_n(
        &shared.ping, &before, round, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int bare_hand_over(const char *path, int first, int second, size_t bytes, size_t rounds,
                   int64_t *times) {
    static uint8_t source[4096] __attribute__((aligned(64)));
    if (bytes > sizeof source || bytes < HEADER) return -EINVAL;
    size_t length = bytes * rounds;
    unlink(path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return -errno;
    int code = fallocate(file, 0, 0, (off_t)length) == 0 ? 0 : errno;
    void *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    close(file);
    if (code != 0 || map == MAP_FAILED) return code != 0 ? -code : -errno;
    shared.ping = shared.pong = 0;
    shared.rounds = rounds;
    shared.core = second;
    handing.place = map;
    handing.bytes = bytes;
    handing.seen = times;
    pthread_t thread;
    code = pthread_create(&thread, NULL, verify, NULL);
    if (code == 0) {
        bare_pin(first);
        for (size_t round = 1; round <= rounds; round++) {
            int64_t start = bare_now();
            hand_over(round, source);
            wait_for(&shared.pong, round);
            times[round - 1] -= start;
        }
        pthread_join(thread, NULL);
    }
    munmap(map, length);
    return -code;
}
