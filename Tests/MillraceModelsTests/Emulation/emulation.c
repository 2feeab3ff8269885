// Runs the code for AMX's matrix registers on processors that have none: what they do not know
// ends in a signal, whose handler decodes the instruction and does what Intel's manual says that
// it does. What comes out is compared with the model of the registers, bit by bit.
//
// Vectors are those of AVX2 here, and rounding to bfloat16 is in C: both are outside the registers.
// On a processor with AMX the instructions are its own.
#define _GNU_SOURCE
#include "cm_tiles.h"

#include <immintrin.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "cm_mode.h"
#include "cm_widen.h"

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push( \
    __attribute__((target("amx-tile,amx-bf16,avx2,fma"))), apply_to = function)
#define CM_LANES 16
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "cm_tile_instructions.h"

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *to, float __attribute__((vector_size(64))) x) {
    for (int i = 0; i < 16; i++) to[i] = cm_to_bfloat16(x[i]);
}

#include "cm_tile_layers.h"
#pragma clang attribute pop

// MARK: The registers

static struct {
    int configured;
    uint8_t rows[8];
    uint16_t bytes[8];
    uint8_t memory[8][16][64];
} state;

static struct {
    unsigned long configurations, releases, zeros, loads, stores, products;
} done;

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    _exit(1);
}

static void load_configuration(const uint8_t *from) {
    memset(&state, 0, sizeof state);
    if (from[0] != 1 || from[1] != 0) fail("no palette 1");
    for (int i = 2; i < 16; i++) {
        if (from[i]) fail("a reserved byte of the configuration is not zero");
    }
    for (int i = 0; i < 8; i++) {
        memcpy(&state.bytes[i], from + 16 + 2 * i, 2);
        state.rows[i] = from[48 + i];
        if (state.bytes[i] > 64 || state.rows[i] > 16) fail("a tile is larger than a register");
        if (!state.bytes[i] != !state.rows[i]) fail("a tile without rows or columns");
    }
    for (int i = 32; i < 48; i++) {
        if (from[i]) fail("a ninth tile is configured");
    }
    for (int i = 56; i < 64; i++) {
        if (from[i]) fail("a ninth tile has rows");
    }
    state.configured = 1;
    done.configurations++;
}

static float widened(const uint8_t *from) {
    uint16_t half;
    memcpy(&half, from, 2);
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

// The mode of the handler is the system's: denormal numbers are made zero here.
static float flushed(float x) { return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x; }

static void multiply(int c, int a, int b) {
    const int pairs = state.bytes[a] / 4, columns = state.bytes[c] / 4;
    if (state.rows[a] != state.rows[c] || state.rows[b] != pairs ||
        state.bytes[b] != state.bytes[c]) {
        fail("tiles that do not fit each other");
    }
    for (int m = 0; m < state.rows[c]; m++) {
        float sums[32] = {0};
        for (int k = 0; k < pairs; k++) {
            for (int n = 0; n < columns; n++) {
                for (int i = 0; i < 2; i++) {
                    const float x = flushed(widened(&state.memory[a][m][4 * k + 2 * i]));
                    const float w = flushed(widened(&state.memory[b][k][4 * n + 2 * i]));
                    sums[2 * n + i] = flushed(fmaf(x, w, sums[2 * n + i]));
                }
            }
        }
        for (int n = 0; n < columns; n++) {
            float before;
            memcpy(&before, &state.memory[c][m][4 * n], 4);
            const float sum = flushed(flushed(before) + flushed(sums[2 * n] + sums[2 * n + 1]));
            memcpy(&state.memory[c][m][4 * n], &sum, 4);
        }
    }
    done.products++;
}

// MARK: Decoding

static uint64_t general(const ucontext_t *context, int number) {
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)context->uc_mcontext.gregs[places[number]];
}

// An operand in memory. Where there is to be a stride, that is its index.
static uint8_t *address(const ucontext_t *context, const uint8_t **code, int rex,
                        uint64_t *stride) {
    const uint8_t modrm = *(*code)++;
    const int mode = modrm >> 6, rm = modrm & 7;
    uint64_t place = 0, index = 0;
    int base = rm | (rex & 1) << 3, relative = 0;
    if (rm == 4) {
        const uint8_t sib = *(*code)++;
        const int number = (sib >> 3 & 7) | (rex & 2) << 2;
        if (number != 4) index = general(context, number) << (sib >> 6);
        base = (sib & 7) | (rex & 1) << 3;
        relative = mode == 0 && (sib & 7) == 5;
    } else if (stride || (mode == 0 && rm == 5)) {
        fail("an operand that is not decoded");
    }
    if (!relative) place = general(context, base);
    if (mode == 1) place += (uint64_t)(int64_t)(int8_t)*(*code)++;
    if (mode == 2 || relative) {
        int32_t offset;
        memcpy(&offset, *code, 4);
        *code += 4;
        place += (uint64_t)(int64_t)offset;
    }
    if (stride) {
        *stride = index;
    } else {
        place += index;
    }
    return (uint8_t *)place;
}

static void handle(int signal, siginfo_t *info, void *given) {
    (void)signal, (void)info;
    ucontext_t *context = given;
    const uint8_t *code = (const uint8_t *)context->uc_mcontext.gregs[REG_RIP];
    // VEX of three bytes, map 0F38, W 0, 128 bits.
    if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0) {
        fail("an instruction that is none of the registers'");
    }
    const int rex = (~code[1] >> 5) & 7, vvvv = (~code[2] >> 3) & 15, prefix = code[2] & 3;
    const uint8_t opcode = code[3];
    code += 4;
    const uint8_t modrm = *code;
    const int reg = modrm >> 3 & 7;
    if (opcode == 0x49 && prefix == 0 && modrm == 0xC0) {
        memset(&state, 0, sizeof state);
        done.releases++;
        code++;
    } else if (opcode == 0x49 && prefix == 0 && modrm < 0xC0 && reg == 0) {
        load_configuration(address(context, &code, rex, NULL));
    } else {
        if (!state.configured) fail("registers without a configuration");
        if (opcode == 0x49 && prefix == 3 && modrm >= 0xC0) {
            memset(state.memory[reg], 0, sizeof state.memory[reg]);
            done.zeros++;
            code++;
        } else if (opcode == 0x4B && prefix == 3) {
            uint64_t stride;
            const uint8_t *from = address(context, &code, rex, &stride);
            memset(state.memory[reg], 0, sizeof state.memory[reg]);
            for (int i = 0; i < state.rows[reg]; i++) {
                memcpy(state.memory[reg][i], from + i * stride, state.bytes[reg]);
            }
            done.loads++;
        } else if (opcode == 0x4B && prefix == 2) {
            uint64_t stride;
            uint8_t *to = address(context, &code, rex, &stride);
            for (int i = 0; i < state.rows[reg]; i++) {
                memcpy(to + i * stride, state.memory[reg][i], state.bytes[reg]);
            }
            done.stores++;
        } else if (opcode == 0x5C && prefix == 2 && modrm >= 0xC0) {
            multiply(reg, modrm & 7, vvvv);
            code++;
        } else {
            fail("an instruction of the registers that is not decoded");
        }
    }
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)code;
}

// MARK: Comparing

static uint64_t seed = 1;

static float number(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(seed >> 32) * 0x1p-31f;
}

static size_t padded(size_t count, size_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

static void *zeros(size_t bytes) {
    void *memory = aligned_alloc(64, padded(bytes, 64));
    if (!memory) fail("no memory");
    return memset(memory, 0, padded(bytes, 64));
}

static cm_layer layer(size_t inputs, size_t outputs, int32_t activation) {
    const size_t steps = padded(inputs, 32) / 32;
    uint16_t *weights = zeros(padded(outputs, 16) * steps * 64);
    float *bias = zeros(padded(outputs, 16) * sizeof(float));
    for (size_t j = 0; j < outputs; j++) {
        bias[j] = number();
        for (size_t k = 0; k < inputs; k++) {
            weights[(j / 16 * steps + k / 32) * 512 + k % 32 / 2 * 32 + j % 16 * 2 + k % 2] =
                cm_to_bfloat16(number() / sqrtf((float)inputs));
        }
    }
    return (cm_layer){(const float *)weights, bias, inputs, outputs, padded(outputs, 16),
                      activation};
}

static void compare(const size_t *widths, size_t count, size_t rows, int32_t activation) {
    cm_layer layers[8];
    size_t widest = padded(widths[0], 16);
    for (size_t i = 0; i < count; i++) {
        layers[i] = layer(widths[i], widths[i + 1], i + 1 < count ? activation : CM_IDENTITY);
        if (padded(widths[i + 1], 32) > widest) widest = padded(widths[i + 1], 32);
    }
    const size_t outputs = widths[count];
    cm_network network = {
        .input = {.width = widths[0], .missing = CM_PROPAGATE}, .row_width = widths[0],
        .input_stride = padded(widths[0], 16), .plain = 1, .layers = layers,
        .layer_count = count, .outputs = outputs,
        .head = outputs > 1 ? CM_HEAD_SOFTMAX : CM_HEAD_NONE, .tile_rows = 96,
        .scratch_stride = padded(widest, 32)};
    float *x = zeros(rows * widths[0] * sizeof(float));
    for (size_t i = 0; i < rows * widths[0]; i++) x[i] = 4 * number();
    if (rows > 2) x[widths[0]] = INFINITY, x[2 * widths[0]] = NAN;
    cm_matrix source = {x, rows, widths[0] * sizeof(float), CM_FLOAT32, 1, 0};
    float *found = zeros(rows * outputs * sizeof(float)), *expected = zeros(rows * outputs * 4);
    float *scratch = zeros(2 * 96 * network.scratch_stride * sizeof(float));
    cm_counts counts = {0}, other = {0};
    tile_set.predict(&network, &source, found, scratch, &counts);
    cm_tiles_software()->predict(&network, &source, expected, scratch, &other);
    for (size_t i = 0; i < rows * outputs; i++) {
        if (memcmp(found + i, expected + i, 4) && !(isnan(found[i]) && isnan(expected[i]))) {
            fprintf(stderr, "%zu rows, output %zu: %a, where %a is expected\n", rows, i,
                    (double)found[i], (double)expected[i]);
            exit(1);
        }
    }
    if (memcmp(&counts, &other, sizeof counts)) fail("other counts");
    for (size_t i = 0; i < count; i++) {
        free((void *)layers[i].weights), free((void *)layers[i].bias);
    }
    free(x), free(found), free(expected), free(scratch);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (!(cm_amx_support() & CM_AMX_GRANTED)) sigaction(SIGILL, &action, NULL);
    // How many layers, and their widths.
    static const size_t shapes[][5] = {
        {1, 1, 1},       {1, 33, 5},           {2, 15, 16, 17},  {2, 40, 49, 3},
        {2, 65, 96, 31}, {3, 64, 128, 64, 10}, {3, 7, 33, 15, 1}};
    static const size_t rows[] = {1, 2, 15, 16, 17, 31, 33, 48, 97, 130};
    unsigned compared = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++, compared++) {
            compare(shapes[i] + 1, shapes[i][0], rows[j], (int32_t)(i + j) % 6);
        }
    }
    printf("%u batches have the same bits; %s: %lu configurations, %lu releases, %lu zeroed tiles, "
           "%lu loads, %lu products, %lu stores\n",
           compared, done.products ? "emulated" : "by the processor's own", done.configurations,
           done.releases, done.zeros, done.loads, done.products, done.stores);
    return 0;
}
