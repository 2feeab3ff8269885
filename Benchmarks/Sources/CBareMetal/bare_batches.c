// Compressing, decompressing and writing the batches.

#define _GNU_SOURCE
#include "bare_metal.h"
#include "bare_batches.h"
#include "bare_time.h"

// The kernels are part of every program that links Millrace.
#include "../../../Sources/CMillraceKernels/include/cm_crc32c.h"
#include "../../../Sources/CMillraceKernels/include/cm_split.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    uint8_t *bytes;
    size_t size, count;
    char *compressed;       // `count` blocks, `bound` bytes apart
    int *compressed_sizes;
    int bound;
    uint8_t *source;        // one batch and what is written in front of it
    char *target;           // one batch, compressed or decoded
    uint8_t *whole;         // one batch, its split undone
    int split;
} batches;

enum { FRONT = 4096 };

int bare_use(const void *bytes, size_t size, size_t count, int split) {
    free(batches.bytes);
    free(batches.compressed);
    free(batches.compressed_sizes);
    free(batches.source);
    free(batches.target);
    free(batches.whole);
    batches.split = split;
    batches.size = size;
    batches.count = count;
    batches.bound = LZ4_compressBound((int)size);
    batches.bytes = aligned_alloc(64, size * count);
    batches.compressed = malloc((size_t)batches.bound * count);
    batches.compressed_sizes = malloc(count * sizeof(int));
    batches.source = aligned_alloc(64, size + FRONT);
    batches.target = aligned_alloc(64, ((size_t)batches.bound + 63) & ~(size_t)63);
    batches.whole = aligned_alloc(64, size);
    if (!batches.bytes || !batches.compressed || !batches.compressed_sizes || !batches.source ||
        !batches.target || !batches.whole)
        return -ENOMEM;
    memcpy(batches.bytes, bytes, size * count);
    memset(batches.source, 0, size + FRONT);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *source = batches.bytes + i * size;
        if (split) {
            cm_split_best()->split(source, batches.whole, size / 4, 4);
            source = batches.whole;
        }
        batches.compressed_sizes[i] = LZ4_compress_fast(
            (const char *)source, batches.compressed + i * (size_t)batches.bound, (int)size,
            batches.bound, 1);
    }
    return 0;
}

static void copy_batch(size_t turn) {
    memcpy(batches.source + FRONT, batches.bytes + turn % batches.count * batches.size, batches.size);
}

int64_t bare_compress(size_t turns) {
    int64_t total = 0;
    for (size_t turn = 0; turn < turns; turn++) {
        copy_batch(turn);
        int64_t start = bare_now();
        int written = LZ4_compress_fast((const char *)batches.source + FRONT, batches.target,
                                        (int)batches.size, batches.bound, 1);
        total += bare_now() - start;
        if (written <= 0) return -EIO;
    }
    return total;
}

size_t bare_batch_bytes(void) { return batches.size; }

int64_t bare_decode_one(void *place, size_t turn) {
    size_t i = turn % batches.count;
    int written = LZ4_decompress_safe(batches.compressed + i * (size_t)batches.bound, place,
                                      batches.compressed_sizes[i], (int)batches.size);
    return written == (int)batches.size ? 1 : -EIO;
}

int64_t bare_decompress(size_t turns) {
    int64_t start = bare_now();
    for (size_t turn = 0; turn < turns; turn++) {
        size_t i = turn % batches.count;
        int written =
            LZ4_decompress_safe(batches.compressed + i * (size_t)batches.bound, batches.target,
                                batches.compressed_sizes[i], (int)batches.size);
        if (written != (int)batches.size) return -EIO;
        if (batches.split)
            cm_split_best()->unsplit((const uint8_t *)batches.target, batches.whole,
                                     batches.size / 4, 4);
    }
    return bare_now() - start;
}

size_t bare_compressed_bytes(void) {
    size_t sum = 0;
    for (size_t i = 0; i < batches.count; i++) sum += (size_t)batches.compressed_sizes[i];
    return sum;
}

int64_t bare_write(const char *path, size_t turns, size_t extra, int place) {
    size_t bytes = batches.size + extra;
    if (place != BARE_OVER) unlink(path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return -errno;
    int64_t total = 0;
    if (place == BARE_RESERVED && fallocate(file, 0, 0, (off_t)(bytes * turns)) != 0) {
        total = -errno;
    }
    for (size_t turn = 0; turn < turns && total >= 0; turn++) {
        copy_batch(turn);
        int64_t start = bare_now();
        ssize_t written =
            pwrite(file, batches.source + FRONT - extra, bytes, (off_t)(turn * bytes));
        if (written != (ssize_t)bytes) total = written < 0 ? -errno : -ENOSPC;
        else total += bare_now() - start;
    }
    close(file);
    return total;
}

int64_t bare_append(const char *path, size_t turns, size_t extra, int compress) {
    size_t most = (compress ? (size_t)batches.bound : batches.size) + extra;
    unlink(path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return -errno;
    int64_t total = 0;
    if (fallocate(file, 0, 0, (off_t)(most * turns)) != 0) total = -errno;
    off_t end = 0;
    for (size_t turn = 0; turn < turns && total >= 0; turn++) {
        if (compress) copy_batch(turn);
        int64_t start = bare_now();
        char *stored = (char *)batches.bytes + turn % batches.count * batches.size;
        size_t bytes = batches.size;
        if (compress) {
            stored = batches.target;
            bytes = (size_t)LZ4_compress_fast((const char *)batches.source + FRONT, stored,
                                              (int)batches.size, batches.bound, 1);
        }
        uint32_t sum = cm_crc32c(0, stored, bytes);
        memcpy(batches.source, &sum, sizeof sum);
        struct iovec pieces[2] = {{batches.source, extra}, {stored, bytes}};
        ssize_t written = pwritev(file, pieces, 2, end);
        if (written != (ssize_t)(bytes + extra)) total = written < 0 ? -errno : -ENOSPC;
        else total += bare_now() - start;
        end += (off_t)(bytes + extra);
    }
    close(file);
    return total;
}
