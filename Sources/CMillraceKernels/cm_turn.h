// Matrices put crosswise, rows as columns. Written once for every set; see cm_body.h.

typedef float eight __attribute__((vector_size(32)));

// Eight rows become columns.
CM_INLINE void turn_vectors(eight v[8]) {
    eight a[8], b[8];
    CM_UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    CM_UNROLL for (int i = 0; i < 8; i += 4) {
        CM_UNROLL for (int j = 0; j < 2; j++) {
            const eight upper = a[i + j], lower = a[i + j + 2];
            b[i + 2 * j] = __builtin_shufflevector(upper, lower, 0, 1, 8, 9, 4, 5, 12, 13);
            b[i + 2 * j + 1] = __builtin_shufflevector(upper, lower, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    CM_UNROLL for (int i = 0; i < 4; i++) {
        v[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

CM_INLINE void load_eight(const float *x, size_t stride, eight v[8]) {
    CM_UNROLL for (int i = 0; i < 8; i++) memcpy(v + i, x + (size_t)i * stride, sizeof *v);
}

CM_INLINE void store_eight(float *x, size_t stride, const eight v[8]) {
    CM_UNROLL for (int i = 0; i < 8; i++) memcpy(x + (size_t)i * stride, v + i, sizeof *v);
}

CM_INLINE void turn_eight(const float *from, size_t stride, float *to, size_t to_stride) {
    eight v[8];
    load_eight(from, stride, v);
    turn_vectors(v);
    store_eight(to, to_stride, v);
}

CM_INLINE void turn_one(const float *from, size_t stride, size_t rows, size_t columns, float *to,
                        size_t to_stride) {
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < columns; i++) to[i * to_stride + row] = from[row * stride + i];
    }
}

// Eight rows; the last columns begin before the end of those in front of them.
CM_INLINE void turn_eight_rows(const float *from, size_t stride, size_t columns, float *to,
                               size_t to_stride) {
    if (columns < 8) return turn_one(from, stride, 8, columns, to, to_stride);
    size_t i = 0;
    for (; i + 8 < columns; i += 8) turn_eight(from + i, stride, to + i * to_stride, to_stride);
    i = columns - 8;
    turn_eight(from + i, stride, to + i * to_stride, to_stride);
}

// to[columns, rows] = from[rows, columns], crosswise.
static void turn(const float *from, size_t stride, size_t rows, size_t columns, float *to,
                 size_t to_stride) {
    if (rows < 8) return turn_one(from, stride, rows, columns, to, to_stride);
    size_t row = 0;
    for (; row + 8 < rows; row += 8) {
        turn_eight_rows(from + row * stride, stride, columns, to + row, to_stride);
    }
    row = rows - 8;
    turn_eight_rows(from + row * stride, stride, columns, to + row, to_stride);
}
