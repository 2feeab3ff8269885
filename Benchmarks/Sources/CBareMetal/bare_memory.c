// Arithmetic and memory.

#define _GNU_SOURCE
#include "bare_metal.h"
#include "bare_time.h"

// The checksum is part of every program that links Millrace.
#include "../../../Sources/CMillraceKernels/include/cm_crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t bare_clock(void) { return bare_now(); }

int64_t bare_probe(void) {
    volatile double sink;
    double a = 1, b = 2, c = 3, d = 4;
    int64_t start = bare_now();
    for (int i = 0; i < 100000; i++) {
        a = a * 0.999999 + 0.5;
        b = b * 0.999999 + 0.5;
        c = c * 0.999999 + 0.5;
        d = d * 0.999999 + 0.5;
    }
    sink = a + b + c + d;
    (void)sink;
    return bare_now() - start;
}

static const uint8_t *mapped;
static size_t mapped_bytes;

int bare_map(const char *path) {
    if (mapped) munmap((void *)mapped, mapped_bytes);
    mapped = NULL;
    mapped_bytes = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    struct stat status;
    int result = fstat(file, &status) == 0 ? 0 : -errno;
    if (result == 0) {
        void *address = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE,
                             file, 0);
        if (address == MAP_FAILED) {
            result = -errno;
        } else {
            mapped = address;
            mapped_bytes = (size_t)status.st_size;
        }
    }
    close(file);
    return result;
}

size_t bare_mapped_bytes(void) { return mapped_bytes; }

int64_t bare_touch(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    int64_t begun = bare_now(), sum = 0;
    volatile const char *bytes = mmap(NULL, mapped_bytes, PROT_READ, MAP_SHARED, file, 0);
    const int failed = bytes == MAP_FAILED ? errno : 0;
    close(file);
    if (failed) return -failed;
    for (size_t at = 0; at < mapped_bytes; at += 4096) sum += bytes[at];
    munmap((void *)bytes, mapped_bytes);
    return bare_now() - begun;
}

typedef uint64_t wide __attribute__((vector_size(64), aligned(64)));

// Four sums, and memory asked for ahead of the loads: faster than without.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint64_t sum(const uint8_t *bytes, size_t length) {
    wide a = {0}, b = {0}, c = {0}, d = {0};
    for (; length >= 256; bytes += 256, length -= 256) {
        const wide *vectors = (const wide *)bytes;
        for (int i = 0; i < 4; i++) __builtin_prefetch(bytes + 4096 + i * 64, 0, 3);
        a += vectors[0];
        b += vectors[1];
        c += vectors[2];
        d += vectors[3];
    }
    a += b + c + d;
    uint64_t total = 0;
    for (int i = 0; i < 8; i++) total += a[i];
    return total;
}

int64_t bare_read(void) {
    volatile uint64_t sink;
    int64_t start = bare_now();
    sink = sum(mapped, mapped_bytes);
    (void)sink;
    return bare_now() - start;
}

int64_t bare_checksum(void) {
    enum { PIECE = 1 << 18 };
    volatile uint32_t sink;
    uint32_t sum = 0;
    int64_t start = bare_now();
    for (size_t at = 0; at < mapped_bytes; at += PIECE) {
        size_t left = mapped_bytes - at;
        sum ^= cm_crc32c(0, mapped + at, left < PIECE ? left : PIECE);
    }
    sink = sum;
    (void)sink;
    return bare_now() - start;
}
