#include "peer_time.h"
#include "peers.h"

#include <rocksdb/c.h>
#include <stdlib.h>

static rocksdb_t *database;
static rocksdb_options_t *options;
static char *place;

// Keys are compared byte by byte, so the first byte is the most significant.
static void set_key(uint8_t key[8], size_t row) {
    for (int i = 0; i < 8; i++) key[i] = (uint8_t)(row >> (56 - 8 * i));
}

static int failed(char *error) {
    if (!error) return 0;
    rocksdb_free(error);
    return 1;
}

static int open_database(const char *directory, size_t bytes) {
    options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, bytes);
    place = strdup(directory);
    char *error = NULL;
    database = rocksdb_open(options, directory, &error);
    return failed(error) ? -1 : 0;
}

int64_t peer_rocksdb_append(const char *directory, const void *bytes, size_t row_bytes, size_t rows,
                            size_t count) {
    peer_rocksdb_close();
    if (open_database(directory, 2 * count * row_bytes) != 0) return -1;
    rocksdb_writeoptions_t *writing = rocksdb_writeoptions_create();
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *error = NULL;
    int64_t start = peer_now();
    for (size_t row = 0; row < count && !error; row++) {
        uint8_t key[8];
        set_key(key, row);
        rocksdb_writebatch_put(batch, (const char *)key, sizeof key,
                               (const char *)bytes + row % rows * row_bytes, row_bytes);
        if ((row + 1) % PEER_BATCH_ROWS != 0 && row + 1 != count) continue;
        rocksdb_write(database, writing, batch, &error);
        rocksdb_writebatch_clear(batch);
    }
    int64_t time = peer_now() - start;
    rocksdb_writebatch_destroy(batch);
    rocksdb_writeoptions_destroy(writing);
    return failed(error) ? -1 : time;
}

int64_t peer_rocksdb_scan(size_t *count, double *sum) {
    char *error = NULL;
    rocksdb_flushoptions_t *flushing = rocksdb_flushoptions_create();
    rocksdb_flush(database, flushing, &error);
    rocksdb_flushoptions_destroy(flushing);
    if (failed(error)) return -1;
    rocksdb_readoptions_t *reading = rocksdb_readoptions_create();
    int64_t start = peer_now();
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(database, reading);
    *count = 0;
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        size_t length;
        *sum += first_float(rocksdb_iter_value(iterator, &length));
        ++*count;
    }
    int64_t time = peer_now() - start;
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(reading);
    return time;
}

void peer_rocksdb_close(void) {
    if (!database) return;
    char *error = NULL;
    rocksdb_close(database);
    rocksdb_destroy_db(options, place, &error);
    failed(error);
    rocksdb_options_destroy(options);
    free(place);
    database = NULL;
}
