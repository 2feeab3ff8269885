#ifndef BARE_METAL_H
#define BARE_METAL_H

#include <stddef.h>
#include <stdint.h>

// What the log is compared with: the same work by the fewest means, on the same bytes. Times are
// nanoseconds by the monotonic clock; a negative result is an error number. One thread at a time
// calls these functions, since they share the batches given to `bare_use`.

/// Binds the calling thread, and those it starts from now on, to one processor.
int bare_pin(int core);

/// The monotonic clock that all times here are taken from.
int64_t bare_clock(void);

/// The time that a fixed chain of multiplications and additions takes: how fast the processor is at
/// this moment.
int64_t bare_probe(void);

/// Copies the batches that the others work on: `count` times `bytes`, one behind the other. With
/// `split` the compressed ones are split into byte streams before, by the kernel that the log uses.
int bare_use(const void *batches, size_t bytes, size_t count, int split);

/// `LZ4_compress_fast` with acceleration 1 on `turns` batches, each copied into the source buffer
/// before, which is not part of the time.
int64_t bare_compress(size_t turns);

/// `LZ4_decompress_safe` on `turns` compressed batches, into one buffer, and the undoing of the split.
int64_t bare_decompress(size_t turns);

/// Bytes of the compressed batches together.
size_t bare_compressed_bytes(void);

/// Where `bare_write` writes: over a file that is there, its pages in the cache; into a new file with
/// reserved blocks; into a new file that grows, so that finding its pages is part of the time.
enum { BARE_OVER = 0, BARE_RESERVED = 1, BARE_GROWING = 2 };

/// `pwrite` of `turns` batches and `extra` bytes each, one behind the other. Opening, reserving and
/// copying a batch into the source buffer are not part of the time.
int64_t bare_write(const char *path, size_t turns, size_t extra, int place);

/// What an append does at the least, `turns` times: a batch is compressed where `compress` says so,
/// the checksum of what is stored is taken, and both go behind each other into a new file with
/// reserved blocks, by one `pwritev` with `extra` bytes of header. A batch that is compressed is
/// copied into the source buffer before, which is not part of the time; others are where they are.
int64_t bare_append(const char *path, size_t turns, size_t extra, int compress);

/// Maps a file with its pages in place; unmaps the one mapped before.
int bare_map(const char *path);

/// A sequential read of the mapped file: its 64-byte vectors added up.
int64_t bare_read(void);

/// The checksum that the log uses, of the mapped file, 256 KiB at a time.
int64_t bare_checksum(void);

/// Bytes of the mapped file.
size_t bare_mapped_bytes(void);

/// Maps the file that `bare_map` was given anew, reads a byte of each of its pages, and unmaps it: what
/// the kernel takes to show a file.
int64_t bare_touch(const char *path);

/// One way between two pinned threads over a shared word, as half of each of `rounds` round trips.
int bare_ping_pong(int first, int second, size_t rounds, int64_t *times);

/// What a mapped append does at the least: `bytes` bytes with the checksums of their first 128 and of
/// the rest are copied into a mapping of a new file, its pages in place, and one word is published;
/// another pinned thread sees the word and verifies both. Times are from before to verified.
int bare_hand_over(const char *path, int first, int second, size_t bytes, size_t rounds,
                   int64_t *times);

/// `count` times `pwrite` of `bytes` bytes, one behind the other, into a new file with reserved blocks.
int bare_small_writes(const char *path, size_t bytes, size_t count, int64_t *times);

/// Batches a second that threads on `count` cores decode together, each into a buffer of its own, for
/// so many nanoseconds; negative for an error.
double bare_decode_together(const int *cores, size_t count, int64_t nanoseconds);

/// Multiplications and additions a second of such threads, in chains that wait for nothing but the
/// processor's AVX2 units.
double bare_multiply_together(const int *cores, size_t count, int64_t nanoseconds);

#endif
