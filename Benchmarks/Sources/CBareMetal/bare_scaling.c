// Several threads at once, each on a core of its own, which share nothing.

#define _GNU_SOURCE
#include "bare_metal.h"
#include "bare_batches.h"
#include "bare_time.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { MOST = 64 };

struct worker {
    pthread_t thread;
    int core;
    int64_t (*work)(void *place, size_t turn);  // units done, or a negative error
    int64_t nanoseconds;
    pthread_barrier_t *start;
    int64_t done, elapsed;
};

static void *run(void *argument) {
    struct worker *worker = argument;
    bare_pin(worker->core);
    // Room for the sums too, where no batch is in use.
    void *place = aligned_alloc(64, bare_batch_bytes() + 64);
    // A first turn, so that memory and code are there.
    int64_t units = place ? worker->work(place, 0) : -ENOMEM;
    pthread_barrier_wait(worker->start);
    int64_t start = bare_now(), now = start;
    for (size_t turn = 1; units >= 0 && now - start < worker->nanoseconds; turn++) {
        units = worker->work(place, turn);
        worker->done += units;
        now = bare_now();
    }
    if (units < 0) worker->done = units;
    worker->elapsed = now - start;
    free(place);
    return NULL;
}

static double together(int64_t (*work)(void *, size_t), const int *cores, size_t count,
                       int64_t nanoseconds) {
    if (count == 0 || count > MOST) return -EINVAL;
    struct worker workers[MOST] = {0};
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){
            .core = cores[i], .work = work, .nanoseconds = nanoseconds, .start = &start};
        int code = pthread_create(&workers[i].thread, NULL, run, &workers[i]);
        if (code != 0) abort();
    }
    double rate = 0;
    for (size_t i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        if (workers[i].done < 0) return (double)workers[i].done;
        rate += (double)workers[i].done / (double)workers[i].elapsed * 1e9;
    }
    pthread_barrier_destroy(&start);
    return rate;
}

double bare_decode_together(const int *cores, size_t count, int64_t nanoseconds) {
    return together(bare_decode_one, cores, count, nanoseconds);
}

typedef float eight __attribute__((vector_size(32)));

__attribute__((target("avx2,fma"))) static int64_t multiply_one(void *place, size_t turn) {
    (void)turn;
    eight factor, sums[12];
    for (int i = 0; i < 8; i++) factor[i] = 0.999f;
    for (int i = 0; i < 12; i++) sums[i] = factor * (float)i;
    enum { TURNS = 20000 };
    for (int k = 0; k < TURNS; k++) {
        for (int i = 0; i < 12; i++) sums[i] = sums[i] * factor + factor;
        // Keeps the compiler from doing the sum once.
        __asm__ volatile("" : "+x"(sums[0]), "+x"(sums[1]), "+x"(sums[2]), "+x"(sums[3]));
    }
    for (int i = 1; i < 12; i++) sums[0] += sums[i];
    *(eight *)place = sums[0];
    return (int64_t)TURNS * 12 * 8 * 2;
}

double bare_multiply_together(const int *cores, size_t count, int64_t nanoseconds) {
    return together(multiply_one, cores, count, nanoseconds);
}
