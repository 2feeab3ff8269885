#include "peer.h"

#include <dlfcn.h>
#include <stdio.h>

// As in openvino/c/ov_shape.h and ov_common.h.
typedef struct {
    int64_t rank;
    int64_t *dims;
} shape;

enum { FLOAT32 = 4 };

typedef struct {
    ip_peer peer;
    void *request;
    int (*infer)(void *request);
} compiled;

static int run(ip_peer *peer, size_t calls) {
    compiled *c = (compiled *)peer;
    for (size_t i = 0; i < calls; i++) {
        if (c->infer(c->request) != 0) return 0;
    }
    return 1;
}

typedef int (*create_tensor)(int type, shape shape, void *data, void **tensor);
typedef int (*set_tensor)(void *request, size_t index, void *tensor);
typedef int (*compile)(void *core, const char *path, const char *device, size_t property_words,
                       void **model, ...);

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    if (found == NULL) fprintf(stderr, "%s\n", dlerror());
    return found;
}

static int bind(void *handle, void *request, const char *setter, float *data, size_t rows,
                size_t columns) {
    create_tensor create = (create_tensor)symbol(handle, "ov_tensor_create_from_host_ptr");
    set_tensor set = (set_tensor)symbol(handle, setter);
    int64_t dims[2] = {(int64_t)rows, (int64_t)columns};
    void *tensor;
    return create && set && create(FLOAT32, (shape){2, dims}, data, &tensor) == 0 &&
           set(request, 0, tensor) == 0;
}

ip_peer *ip_open_openvino(const char *library, const char *precision, const char *model,
                          size_t rows, size_t inputs, size_t outputs, float *x, float *y) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return ip_failed(dlerror());
    int (*create_core)(void **) = (int (*)(void **))symbol(handle, "ov_core_create");
    compile compile_file = (compile)symbol(handle, "ov_core_compile_model_from_file");
    int (*create_request)(void *, void **) =
        (int (*)(void *, void **))symbol(handle, "ov_compiled_model_create_infer_request");
    compiled *c = ip_allocate(sizeof *c);
    c->peer.run = run;
    c->infer = (int (*)(void *))symbol(handle, "ov_infer_request_infer");
    if (!create_core || !compile_file || !create_request || !c->infer) return NULL;
    void *core, *compiled_model;
    int ok = create_core(&core) == 0 &&
             compile_file(core, model, "CPU", 10, &compiled_model, "INFERENCE_NUM_THREADS", "1",
                          "NUM_STREAMS", "1", "PERFORMANCE_HINT", "LATENCY",
                          "INFERENCE_PRECISION_HINT", precision, "ENABLE_CPU_PINNING", "NO") == 0 &&
             create_request(compiled_model, &c->request) == 0 &&
             bind(handle, c->request, "ov_infer_request_set_input_tensor_by_index", x, rows,
                  inputs) &&
             bind(handle, c->request, "ov_infer_request_set_output_tensor_by_index", y, rows,
                  outputs);
    return ok ? &c->peer : ip_failed("OpenVINO refused the model");
}
