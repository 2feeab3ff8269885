#ifndef PEERS_H
#define PEERS_H

#include <stddef.h>
#include <stdint.h>

// The same rows in LMDB and in RocksDB: 8-byte ascending keys, 1,024 rows a transaction or write
// batch, no sync. Times are nanoseconds by the monotonic clock; a negative result is the library's
// error (RocksDB: -1). Rows are `row_bytes` each, `rows` of them again and again.

/// Opens an environment in an empty directory.
int peer_lmdb_open(const char *directory, size_t map_bytes);
/// Empties the table, which is not part of the time, and appends `count` rows with MDB_APPEND.
int64_t peer_lmdb_append(const void *bytes, size_t row_bytes, size_t rows, size_t count);
/// Reads every row through a cursor; `sum` grows with the first float of each.
int64_t peer_lmdb_scan(size_t *count, double *sum);
void peer_lmdb_close(void);

/// Writes `count` rows into a new database with its write-ahead log on, in memory tables that hold
/// them all.
int64_t peer_rocksdb_append(const char *directory, const void *bytes, size_t row_bytes, size_t rows,
                            size_t count);
/// Flushes, which is not part of the time, and reads every row through an iterator, checksums
/// verified.
int64_t peer_rocksdb_scan(size_t *count, double *sum);
/// Closes the database and removes its files.
void peer_rocksdb_close(void);

#endif
