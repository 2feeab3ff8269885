// Random networks, and products of training, through every kernel set that this processor has, each
// buffer behind a page that cannot be touched and right before another one. float32 is held against
// double; sets that claim the same bits, against each other.
#define _GNU_SOURCE
#include "cm_kernels.h"
#include "cm_narrow.h"
#include "cm_tiles.h"
#include "cm_widen.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define LAYERS 3

static uint64_t seed = 20261130;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

// Between -1 and 1.
static float number(void) { return (float)((int)draw(2001) - 1000) / 1000; }

static size_t padded(size_t count, size_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

// MARK: Buffers

static struct {
    void *start;
    size_t bytes;
} mapped[64];
static size_t mappings;

// Zeros that end right before a page that cannot be touched.
static void *guarded(size_t bytes) {
    const size_t body = padded(bytes, PAGE);
    char *start = mmap(NULL, body + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
    if (start == MAP_FAILED || mappings == sizeof mapped / sizeof *mapped) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    mprotect(start, PAGE, PROT_NONE);
    mprotect(start + PAGE + body, PAGE, PROT_NONE);
    mapped[mappings].start = start;
    mapped[mappings++].bytes = body + 2 * PAGE;
    return start + PAGE + body - bytes;
}

static void release(size_t kept) {
    while (mappings > kept) {
        mappings--;
        munmap(mapped[mappings].start, mapped[mappings].bytes);
    }
}

// MARK: Networks

typedef void (*predict_function)(const cm_network *, const cm_matrix *, float *, float *,
                                 cm_counts *);

typedef enum { FLOATS, TILES, PAIRS, BYTES } form;

// A set, where it is there; sets of one form but float32 have the same bits.
typedef struct {
    const char *name;
    form form;
    predict_function predict;
    const cm_kernel_set *floats;
} kernels;

// What a network is before it is packed.
typedef struct {
    size_t count, widths[LAYERS + 1], rows, stride;
    int32_t activation[LAYERS];
    int plain, missing, head;
    float *weights[LAYERS], *bias[LAYERS], *x;
} model;

static size_t word_of(form f) { return f == PAIRS ? 2 : f == BYTES ? 4 : 1; }

static uint32_t element_of(form f, float weight) {
    return f == PAIRS ? cm_to_bfloat16(weight) : (uint8_t)(int8_t)lrintf(weight * 127);
}

// Weights as `cm_layer` describes them.
static const float *pack_columns(const cm_kernel_set *set, const float *w, size_t inputs,
                                 size_t outputs) {
    const cm_columns columns = set->columns(outputs);
    const size_t width = padded(columns.paneled, set->lanes), size = padded(inputs, set->lanes);
    const size_t half = columns.half ? CM_HALF_LANES : 0, ranked = columns.paneled + columns.half;
    float *all = guarded((inputs * (width + half) + columns.single * size) * sizeof(float));
    for (size_t j = 0; j < ranked; j++) {
        const int halved = j >= columns.paneled;
        const size_t first = halved ? columns.paneled : j / set->panel * set->panel;
        const size_t left = halved ? CM_HALF_LANES : width - first;
        const size_t wide = left < set->panel ? left : set->panel;
        float *to = all + inputs * (halved ? width : first) + j - first;
        for (size_t n = 0; n < inputs; n++) to[n * wide] = w[n * outputs + j];
    }
    for (size_t j = ranked; j < outputs; j++) {
        float *to = all + inputs * (width + half) + (j - ranked) * size;
        for (size_t n = 0; n < inputs; n++) to[n] = w[n * outputs + j];
    }
    return all;
}

static const float *pack(const kernels *k, const model *m, size_t i) {
    const size_t inputs = m->widths[i], outputs = m->widths[i + 1];
    const float *w = m->weights[i];
    if (k->form == TILES) {
        const size_t steps = padded(inputs, 32) / 32;
        uint16_t *tiles = guarded(padded(outputs, 16) * steps * 64);
        for (size_t j = 0; j < outputs; j++) {
            for (size_t n = 0; n < inputs; n++) {
                tiles[(j / 16 * steps + n / 32) * 512 + n % 32 / 2 * 32 + j % 16 * 2 + n % 2] =
                    cm_to_bfloat16(w[n * outputs + j]);
            }
        }
        return (const float *)tiles;
    }
    const size_t word = word_of(k->form), words = padded(inputs, word) / word;
    const size_t lanes = 16, panel = CM_NARROW_PANEL;
    if (k->floats) return pack_columns(k->floats, w, inputs, outputs);
    uint32_t *panels = guarded(words * padded(outputs, lanes) * sizeof(uint32_t));
    for (size_t j = 0; j < outputs; j++) {
        const size_t first = j / panel * panel, left = padded(outputs - first, lanes);
        const size_t width = left < panel ? left : panel;
        for (size_t n = 0; n < inputs; n++) {
            uint32_t *to = panels + first * words + n / word * width + j - first;
            *to |= element_of(k->form, w[n * outputs + j]) << 32 / word * (n % word);
        }
    }
    return (const float *)panels;
}

static cm_byte_layer bytes_of(const model *m, size_t i) {
    const size_t outputs = m->widths[i + 1], stride = padded(outputs, 16) * sizeof(float);
    const int last = i + 1 == m->count;
    const int simple = last || m->activation[i] == CM_RELU || m->activation[i] == CM_IDENTITY;
    int32_t *start = guarded(stride);
    float *scale = guarded(stride), *next = guarded(stride), *zero = guarded(stride);
    for (size_t j = 0; j < outputs; j++) {
        start[j] = -(int32_t)(j % 7) * 1000;
        scale[j] = (float)(1 + j % 5) * (last || !simple ? 1e-4f : 1e-2f);
        next[j] = (float)(50 + j % 50);
        zero[j] = (float)(j % 256);
    }
    return (cm_byte_layer){start, scale, simple ? NULL : next, simple ? NULL : zero};
}

// Scores the model's rows with one set, all its memory guarded.
static float *score(const kernels *k, const model *m, cm_counts *counts) {
    cm_layer layers[LAYERS];
    cm_byte_layer bytes[LAYERS];
    size_t widest = padded(m->widths[0], 32);
    for (size_t i = 0; i < m->count; i++) {
        const size_t outputs = m->widths[i + 1], stride = padded(outputs, 16);
        float *bias = guarded(stride * sizeof(float));
        memcpy(bias, m->bias[i], outputs * sizeof(float));
        layers[i] = (cm_layer){pack(k, m, i), bias, m->widths[i], outputs, stride,
                               m->activation[i]};
        if (k->form == BYTES) bytes[i] = bytes_of(m, i);
        if (padded(outputs, 32) > widest) widest = padded(outputs, 32);
    }
    const size_t width = m->widths[0], stride = padded(width, 16), outputs = m->widths[m->count];
    float *stage = guarded(3 * stride * sizeof(float));
    float *scale = guarded(2 * stride * sizeof(float));
    for (size_t i = 0; i < width; i++) {
        stage[i] = 0.5f;
        stage[stride + i] = m->plain ? 0 : (float)(i % 3) / 4;
        stage[2 * stride + i] = m->plain ? INFINITY : 3;
        scale[i] = (float)(20 + i % 30);
        scale[stride + i] = (float)(i % 256);
    }
    const size_t rows_max = k->form == TILES ? 32 : 6 * (4 + m->rows % 12);
    const size_t raw = padded((2 * width + rows_max - 1) / rows_max, 16);
    cm_network network = {
        .input = {stage, stage + stride, stage + 2 * stride, NULL, width, m->missing},
        .row_width = width, .input_stride = stride, .plain = m->plain, .layers = layers,
        .layer_count = m->count, .outputs = outputs, .head = m->head, .tile_rows = rows_max,
        .scratch_stride = widest > raw ? widest : raw, .bytes = bytes, .byte_scale = scale,
        .byte_zero = scale + stride, .widen = cm_widen_best()->widen};
    const size_t scratch_bytes = 2 * rows_max * network.scratch_stride * sizeof(float);
    float *scratch = guarded(scratch_bytes);
    memset(scratch, 0xFF, scratch_bytes);
    float *y = guarded(m->rows * outputs * sizeof(float));
    cm_matrix source = {m->x, m->rows, m->stride * sizeof(float), CM_FLOAT32, 1, 0};
    k->predict(&network, &source, y, scratch, counts);
    return y;
}

// MARK: Comparing

static double activated(int32_t activation, double x) {
    switch (activation) {
    case CM_RELU: return x < 0 ? 0 : x;
    case CM_LEAKY_RELU: return x < 0 ? 0.01 * x : x;
    case CM_TANH: return tanh(x);
    case CM_SIGMOID: return 1 / (1 + exp(-x));
    case CM_GELU: return 0.5 * x * erfc(-x * sqrt(0.5));
    default: return x;
    }
}

// The outputs of one row without a head, by definition.
static void by_definition(const model *m, const float *row, double *y) {
    double x[256], sums[256];
    for (size_t i = 0; i < m->widths[0]; i++) {
        x[i] = isnan(row[i]) && m->missing == CM_IMPUTE ? 0.5 : row[i];
        if (!m->plain) x[i] = fmax(-3, fmin(3, x[i] - (double)(i % 3) / 4));
    }
    for (size_t l = 0; l < m->count; l++) {
        const size_t outputs = m->widths[l + 1];
        for (size_t j = 0; j < outputs; j++) {
            sums[j] = (double)m->bias[l][j];
            for (size_t n = 0; n < m->widths[l]; n++) {
                sums[j] += x[n] * (double)m->weights[l][n * outputs + j];
            }
            sums[j] = activated(m->activation[l], sums[j]);
        }
        memcpy(x, sums, outputs * sizeof(double));
    }
    memcpy(y, x, m->widths[m->count] * sizeof(double));
}

static void fail(const kernels *k, const model *m, size_t at, double found, double expected) {
    fprintf(stderr, "%s, %zu layers from %zu to %zu, %zu rows, output %zu: %a, not %a\n", k->name,
            m->count, m->widths[0], m->widths[m->count], m->rows, at, found, expected);
    exit(1);
}

static void compare_double(const kernels *k, const model *m, const float *y) {
    const size_t outputs = m->widths[m->count];
    double expected[256];
    if (m->head != CM_HEAD_NONE) return;
    for (size_t row = 0; row < m->rows; row++) {
        const float *x = m->x + row * m->stride;
        int finite = 1;
        for (size_t i = 0; i < m->widths[0]; i++) finite &= isfinite(x[i]) != 0;
        if (!finite) continue;
        by_definition(m, x, expected);
        for (size_t j = 0; j < outputs; j++) {
            const double found = (double)y[row * outputs + j];
            if (!(fabs(found - expected[j]) < 2e-5)) fail(k, m, row * outputs + j, found, expected[j]);
        }
    }
}

static void compare_bits(const kernels *k, const model *m, const float *y, const float *other) {
    for (size_t i = 0; i < m->rows * m->widths[m->count]; i++) {
        if (memcmp(y + i, other + i, 4) && !(isnan(y[i]) && isnan(other[i]))) {
            fail(k, m, i, (double)y[i], (double)other[i]);
        }
    }
}

static model drawn(void) {
    model m = {.count = 1 + draw(LAYERS), .plain = (int)draw(2)};
    for (size_t i = 0; i <= m.count; i++) m.widths[i] = 1 + draw(i ? 150 : 100);
    if (draw(4) == 0) m.widths[m.count] = 1 + draw(5);
    m.missing = m.plain ? CM_PROPAGATE : (int)draw(3);
    m.head = m.widths[m.count] > 1 && draw(3) == 0 ? CM_HEAD_SOFTMAX : CM_HEAD_NONE;
    for (size_t i = 0; i < m.count; i++) {
        const size_t inputs = m.widths[i], outputs = m.widths[i + 1];
        m.activation[i] = (int32_t)draw(6);
        m.weights[i] = guarded(inputs * outputs * sizeof(float));
        m.bias[i] = guarded(outputs * sizeof(float));
        for (size_t n = 0; n < inputs * outputs; n++) {
            m.weights[i][n] = number() / sqrtf((float)inputs);
        }
        for (size_t n = 0; n < outputs; n++) m.bias[i][n] = number();
    }
    m.rows = 1 + draw(130);
    m.stride = m.widths[0] + draw(4);
    const size_t floats = (m.rows - 1) * m.stride + m.widths[0];
    m.x = guarded(floats * sizeof(float));
    for (size_t i = 0; i < floats; i++) {
        m.x[i] = draw(200) == 0 ? (draw(2) ? NAN : INFINITY) : 2 * number();
    }
    return m;
}

// MARK: Products of training

static float *drawn_numbers(size_t count) {
    float *x = guarded(count * sizeof(float));
    for (size_t i = 0; i < count; i++) x[i] = number();
    return x;
}

// A product of one of the forms that training has; with slopes where the second factor is turned.
static cm_product drawn_product(void) {
    cm_product p = {.rows = 1 + draw(80), .columns = 1 + draw(150), .depth = 1 + draw(150)};
    const int is_turned = draw(3) == 0, is_crosswise = !is_turned && draw(2);
    p.a = drawn_numbers(p.rows * p.depth);
    p.a_row = is_crosswise ? 1 : p.depth;
    p.a_step = is_crosswise ? p.rows : 1;
    p.a_in_memory = (int32_t)draw(2);
    p.b = drawn_numbers(p.depth * p.columns);
    p.b_stride = is_turned ? p.depth : p.columns;
    p.b_transposed = is_turned;
    p.c_stride = p.columns;
    if (is_turned) {
        p.slopes.function = (int32_t)draw(3);
        p.slopes.z = p.slopes.values = drawn_numbers(p.rows * p.columns);
    } else if (!is_crosswise) {
        p.bias = drawn_numbers(p.columns);
        p.activation = (int32_t)draw(6);
    }
    return p;
}

static double slope(const cm_slopes *by, size_t at) {
    if (!by->values || by->function == CM_IDENTITY || by->values[at] > 0) return 1;
    return by->function == CM_RELU ? 0 : 0.01;
}

static double element(const cm_product *p, size_t i, size_t j) {
    double sum = p->bias ? (double)p->bias[j] : 0;
    for (size_t k = 0; k < p->depth; k++) {
        const size_t at = p->b_transposed ? j * p->b_stride + k : k * p->b_stride + j;
        sum += (double)p->a[i * p->a_row + k * p->a_step] * (double)p->b[at];
    }
    return activated(p->activation, sum) * slope(&p->slopes, i * p->columns + j);
}

static void multiply(const kernels *k, cm_product p) {
    p.c = guarded(p.rows * p.columns * sizeof(float));
    if (p.slopes.values) p.slopes.totals = guarded(p.columns * sizeof(float));
    k->floats->product(
        &p, guarded(k->floats->product_scratch(p.rows, p.columns, p.depth) * sizeof(float)));
    for (size_t j = 0; j < p.columns; j++) {
        float total = 0;
        for (size_t i = 0; i < p.rows; i++) {
            const double found = (double)p.c[i * p.columns + j], expected = element(&p, i, j);
            total += p.c[i * p.columns + j];
            if (fabs(found - expected) < 1e-4) continue;
            fprintf(stderr, "%s, product %zux%zu by %zux%zu, element %zu, %zu: %a, not %a\n",
                    k->name, p.rows, p.depth, p.depth, p.columns, i, j, found, expected);
            exit(1);
        }
        if (p.slopes.values && total != p.slopes.totals[j]) {
            fprintf(stderr, "%s, total of column %zu: %a, not %a\n", k->name, j,
                    (double)p.slopes.totals[j], (double)total);
            exit(1);
        }
    }
}

int main(int count, char **arguments) {
    const int networks = count > 1 ? atoi(arguments[1]) : 600;
    kernels all[9];
    size_t sets = 0;
#define FLOAT_SET(NAME)                                                                      \
    if (cm_kernels_##NAME())                                                                 \
        all[sets++] = (kernels){#NAME, FLOATS, cm_kernels_##NAME()->predict, cm_kernels_##NAME()};
#define OTHER_SET(NAME, FORM) \
    if (cm_##NAME()) all[sets++] = (kernels){#NAME, FORM, cm_##NAME()->predict, NULL};
    FLOAT_SET(avx512)
    FLOAT_SET(avx2)
    FLOAT_SET(portable)
    OTHER_SET(tiles_software, TILES)
    OTHER_SET(tiles_amx, TILES)
    OTHER_SET(pairs_software, PAIRS)
    OTHER_SET(pairs_avx512, PAIRS)
    OTHER_SET(bytes_software, BYTES)
    OTHER_SET(bytes_avx512, BYTES)
    printf("seed %llu, %d networks and products:", (unsigned long long)seed, networks);
    for (size_t i = 0; i < sets; i++) printf(" %s", all[i].name);
    puts("");
    for (int round = 0; round < networks; round++) {
        const model m = drawn();
        const size_t kept = mappings;
        float *before = malloc(m.rows * m.widths[m.count] * sizeof(float));
        cm_counts counts_before = {0};
        for (size_t i = 0; i < sets; i++) {
            cm_counts counts = {0};
            const float *y = score(&all[i], &m, &counts);
            if (all[i].form == FLOATS) {
                compare_double(&all[i], &m, y);
            } else if (all[i].form == all[i - 1].form) {
                compare_bits(&all[i], &m, y, before);
                if (memcmp(&counts, &counts_before, sizeof counts)) {
                    fail(&all[i], &m, 0, (double)counts.not_finite, (double)counts_before.not_finite);
                }
            }
            memcpy(before, y, m.rows * m.widths[m.count] * sizeof(float));
            counts_before = counts;
            release(kept);
        }
        free(before);
        release(0);
        const cm_product product = drawn_product();
        const size_t factors = mappings;
        for (size_t i = 0; i < sets && all[i].form == FLOATS; i++) {
            multiply(&all[i], product);
            release(factors);
        }
        release(0);
    }
    puts("nothing outside a buffer was touched");
    return 0;
}
