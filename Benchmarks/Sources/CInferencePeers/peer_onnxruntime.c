#include "peer.h"

#include <dlfcn.h>
#include <stdio.h>

// The interface is a table of functions whose order never changes ("OrtApi"): their places, from 0.
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_GRAPH_OPTIMIZATION_LEVEL = 23,
    SET_INTRA_OP_THREADS = 24,
    SET_INTER_OP_THREADS = 25,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
};

typedef struct {
    const void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

typedef struct {
    ip_peer peer;
    const void *const *api;
    void *session;
    void *input, *output;
} session;

typedef void *(*run_function)(void *session, const void *options, const char *const *input_names,
                              void *const *inputs, size_t input_count,
                              const char *const *output_names, size_t output_count,
                              void **outputs);

static int run(ip_peer *peer, size_t calls) {
    static const char *const x = "x", *const y = "y";
    session *s = (session *)peer;
    run_function run_once = (run_function)s->api[RUN];
    for (size_t i = 0; i < calls; i++) {
        if (run_once(s->session, NULL, &x, &s->input, 1, &y, 1, &s->output)) return 0;
    }
    return 1;
}

// Functions return null or a status.
static int fine(const session *s, void *status) {
    if (status == NULL) return 1;
    const char *(*message)(const void *) = (const char *(*)(const void *))s->api[GET_ERROR_MESSAGE];
    fprintf(stderr, "ONNX Runtime: %s\n", message(status));
    return 0;
}

static int tensor(const session *s, void *memory, float *data, size_t rows, size_t columns,
                  void **value) {
    const int64_t shape[2] = {(int64_t)rows, (int64_t)columns};
    typedef void *(*create)(const void *, void *, size_t, const int64_t *, size_t, int, void **);
    const int float32 = 1;
    return fine(s, ((create)s->api[CREATE_TENSOR_WITH_DATA])(
                       memory, data, rows * columns * sizeof(float), shape, 2, float32, value));
}

ip_peer *ip_open_onnxruntime(const char *library, const char *model, size_t rows, size_t inputs,
                             size_t outputs, float *x, float *y) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return ip_failed(dlerror());
    const api_base *(*base)(void) = (const api_base *(*)(void))dlsym(handle, "OrtGetApiBase");
    if (base == NULL) return ip_failed(dlerror());
    session *s = ip_allocate(sizeof *s);
    s->peer.run = run;
    s->api = base()->get_api(17);
    if (s->api == NULL) return ip_failed("ONNX Runtime has no interface of version 17");
    void *environment, *options, *memory;
    typedef void *(*set)(void *, int);
    const int warnings = 2, all = 99, arena = 1, by_default = 0;
    int ok =
        fine(s, ((void *(*)(int, const char *, void **))s->api[CREATE_ENV])(
                    warnings, "compare", &environment)) &&
        fine(s, ((void *(*)(void **))s->api[CREATE_SESSION_OPTIONS])(&options)) &&
        fine(s, ((set)s->api[SET_GRAPH_OPTIMIZATION_LEVEL])(options, all)) &&
        fine(s, ((set)s->api[SET_INTRA_OP_THREADS])(options, 1)) &&
        fine(s, ((set)s->api[SET_INTER_OP_THREADS])(options, 1)) &&
        fine(s, ((void *(*)(void *, const char *, void *, void **))s->api[CREATE_SESSION])(
                    environment, model, options, &s->session)) &&
        fine(s, ((void *(*)(int, int, void **))s->api[CREATE_CPU_MEMORY_INFO])(
                    arena, by_default, &memory)) &&
        tensor(s, memory, x, rows, inputs, &s->input) &&
        tensor(s, memory, y, rows, outputs, &s->output);
    return ok ? &s->peer : NULL;
}
