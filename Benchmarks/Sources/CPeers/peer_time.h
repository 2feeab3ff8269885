#include <stdint.h>
#include <string.h>
#include <time.h>

static inline int64_t peer_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline double first_float(const void *row) {
    float value;
    memcpy(&value, row, sizeof value);
    return value;
}

enum { PEER_BATCH_ROWS = 1024 };
