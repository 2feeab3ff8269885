#include "peer_time.h"
#include "peers.h"

#include <lmdb.h>

static MDB_env *environment;
static MDB_dbi table;

int peer_lmdb_open(const char *directory, size_t map_bytes) {
    int code = mdb_env_create(&environment);
    if (code == 0) code = mdb_env_set_mapsize(environment, map_bytes);
    if (code == 0) code = mdb_env_open(environment, directory, MDB_NOSYNC, 0644);
    MDB_txn *transaction = NULL;
    if (code == 0) code = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (code == 0) code = mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &table);
    if (code == 0) code = mdb_txn_commit(transaction);
    return code == 0 ? 0 : -(code < 0 ? -code : code);
}

static int append(const uint8_t *bytes, size_t row_bytes, size_t rows, size_t first, size_t count) {
    MDB_txn *transaction;
    MDB_cursor *cursor;
    int code = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (code != 0) return code;
    code = mdb_cursor_open(transaction, table, &cursor);
    for (size_t i = 0; i < count && code == 0; i++) {
        size_t row = first + i;
        MDB_val key = {sizeof row, &row};
        MDB_val value = {row_bytes, (void *)(bytes + row % rows * row_bytes)};
        code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND);
    }
    if (code == 0) mdb_cursor_close(cursor);
    if (code == 0) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return code;
}

int64_t peer_lmdb_append(const void *bytes, size_t row_bytes, size_t rows, size_t count) {
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (code == 0) code = mdb_drop(transaction, table, 0);
    if (code == 0) code = mdb_txn_commit(transaction);
    int64_t start = peer_now();
    for (size_t row = 0; row < count && code == 0; row += PEER_BATCH_ROWS) {
        size_t left = count - row;
        code = append(bytes, row_bytes, rows, row, left < PEER_BATCH_ROWS ? left : PEER_BATCH_ROWS);
    }
    int64_t time = peer_now() - start;
    return code == 0 ? time : -(code < 0 ? -code : code);
}

int64_t peer_lmdb_scan(size_t *count, double *sum) {
    MDB_txn *transaction;
    MDB_cursor *cursor;
    MDB_val key, value;
    int64_t start = peer_now();
    int code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction);
    if (code == 0) code = mdb_cursor_open(transaction, table, &cursor);
    if (code != 0) return -(code < 0 ? -code : code);
    *count = 0;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        *sum += first_float(value.mv_data);
        ++*count;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(transaction);
    return code == MDB_NOTFOUND ? peer_now() - start : -(code < 0 ? -code : code);
}

void peer_lmdb_close(void) {
    if (environment) mdb_env_close(environment);
    environment = NULL;
}
