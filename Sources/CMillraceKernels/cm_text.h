// Short numbers, times of day and hashes of a field, one at a time, for every set alike.

/// A short decimal number: `value` divided by ten to the power of `scale`.
typedef struct {
    int32_t value, scale, is_negative;
} decimal;

static const float float_powers[8] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f};
static const double double_powers[8] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};

/// The number that one to eight digits say; -1 where there is something else.
///
/// All bytes are looked at together, so that it takes no branch for a digit; eight bytes before
/// `end` have to be within the line, which begins at `text`.
CM_INLINE int32_t read_digits(const uint8_t *text, const uint8_t *at, const uint8_t *end) {
    int64_t count = end - at;
    if (end - text < 8 || count > 8) return -1;
    uint64_t bytes;
    memcpy(&bytes, end - 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    // Digits as numbers, the last in the highest byte; what stands before the field becomes 0.
    int drop = 64 - 8 * (int)count;
    bytes = ((bytes ^ 0x3030303030303030u) >> drop) << drop;
    if (((bytes + 0x7676767676767676u) | bytes) & 0x8080808080808080u) return -1;
    // Lemire, "Quickly parsing eight digits", 2018: pairs, then fours, then all.
    bytes = bytes * 10 + (bytes >> 8);
    if (count <= 4) return (int32_t)((bytes >> 32 & 0xFF) * 100 + (bytes >> 48 & 0xFF));
    return (int32_t)(((bytes & 0x000000FF000000FFu) * 0x000F424000000064u
        + ((bytes >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u) >> 32);
}

CM_INLINE int read_decimal(
    const uint8_t *text, const uint8_t *at, const uint8_t *end, decimal *number) {
    number->is_negative = *at == '-';
    number->scale = 0;
    at += number->is_negative;
    if (at == end) return 0;
    number->value = read_digits(text, at, end);
    if (number->value >= 0) return 1;
    // Seven digits and a point at most.
    if (end - at > 8) return 0;
    int32_t digits = 0;
    int32_t before = -1;
    int32_t value = 0;
    for (; at < end; at++) {
        uint8_t digit = (uint8_t)(*at - '0');
        if (digit <= 9) {
            value = value * 10 + digit;
            digits++;
        } else if (*at == '.' && before < 0 && digits > 0 && at + 1 < end) {
            before = digits;
        } else {
            return 0;
        }
    }
    if (digits > 7) return 0;
    number->value = value;
    number->scale = before < 0 ? 0 : digits - before;
    return 1;
}

CM_INLINE float float_of(decimal number) {
    float value = (float)number.value;
    if (number.scale > 0) value /= float_powers[number.scale];
    return number.is_negative ? -value : value;
}

CM_INLINE double double_of(decimal number) {
    double value = (double)number.value;
    if (number.scale > 0) value /= double_powers[number.scale];
    return number.is_negative ? -value : value;
}

/// Minutes since midnight of the number that one to four digits say; -1 where it is no time of day.
CM_INLINE int32_t minutes_of(int32_t value) {
    int32_t hours = value / 100, minutes = value % 100;
    return minutes < 60 && (hours < 24 || value == 2400) ? hours * 60 + minutes : -1;
}

CM_INLINE int32_t read_minutes(const uint8_t *text, const uint8_t *at, const uint8_t *end) {
    if (end - at > 4) return -1;
    int32_t value = read_digits(text, at, end);
    if (value < 0) {
        value = 0;
        for (; at < end; at++) {
            uint8_t digit = (uint8_t)(*at - '0');
            if (digit > 9) return -1;
            value = value * 10 + digit;
        }
    }
    return minutes_of(value);
}

/// FNV-1a and MurmurHash3's finaliser: the `StableHash` of the specification.
CM_INLINE uint64_t hash_of(const uint8_t *at, const uint8_t *end) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (; at < end; at++) hash = (hash ^ *at) * 0x100000001B3u;
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDu;
    hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53u;
    return hash ^ (hash >> 33);
}

CM_INLINE int is_text(const cm_texts *texts, int64_t index, const uint8_t *at, int64_t count) {
    int64_t begin = index > 0 ? texts->ends[index - 1] : 0;
    if (texts->ends[index] - begin != count) return 0;
    // Mostly a few bytes: a call would take longer.
    for (int64_t i = 0; i < count; i++) {
        if (texts->bytes[begin + i] != at[i]) return 0;
    }
    return 1;
}

CM_INLINE int is_missing(const cm_texts *texts, const uint8_t *at, const uint8_t *end) {
    for (int64_t i = 0; i < texts->count; i++) {
        if (is_text(texts, i, at, end - at)) return 1;
    }
    return 0;
}

/// The feature of a text by its place in a vocabulary.
static int32_t place_of_any(
    const cm_row_program *program, const cm_step *step, const uint8_t *at, const uint8_t *end) {
    uint64_t mask = (uint64_t)step->count - 1;
    uint64_t slot = hash_of(at, end) & mask;
    while (1) {
        int32_t index = program->slots[step->first + slot];
        if (index < 0) return step->width - 2;
        if (is_text(&program->vocabulary, index, at, end - at)) {
            // Texts of all vocabularies are in one list; a slot names them by their place there,
            // and its step by where its own begin.
            return index - program->slots[step->first + step->count];
        }
        slot = (slot + 1) & mask;
    }
}

/// The same, short texts compared as one number.
CM_INLINE int32_t place_of(
    const cm_row_program *program, const cm_step *step, const uint8_t *text, int64_t count,
    const uint8_t *at, const uint8_t *end) {
    int64_t length = end - at;
    if (length > 7 || count < 8) return place_of_any(program, step, at, end);
    // The eight bytes before the end; where the line does not have as many, its first eight.
    int64_t from = end - text - 8;
    int64_t before = from < 0 ? -from : 0;
    uint64_t bytes;
    memcpy(&bytes, text + from + before, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    uint64_t key =
        (bytes << (8 * before) >> (64 - 8 * length) << 8) | (uint64_t)length;
    const uint64_t *keys = program->keys + step->key_first;
    int32_t slot = cm_key_slot(key, step->key_count);
    while (keys[slot] != key) {
        if (keys[slot] == 0) return step->width - 2;
        slot = (slot + 1) & (step->key_count - 1);
    }
    return program->key_places[step->key_first + slot];
}

/// How many of the rising edges a number is not below.
CM_INLINE int32_t bucket_of(const double *edges, int32_t count, double number) {
    // No branch depends on the number: where it falls is what cannot be foretold.
    int32_t low = 0;
    while (count > 16) {
        int32_t half = count / 2;
        int32_t above = number >= edges[low + half];
        low += above ? half : 0;
        count = above ? count - half : half;
    }
    int32_t below = 0;
    for (int32_t i = 0; i < count; i++) below += number >= edges[low + i];
    return low + below;
}

/// Whether a number passes all tests.
CM_INLINE int passes(const cm_test *tests, int32_t count, double number) {
    int all = 1;
    for (int32_t i = 0; i < count; i++) {
        double bound = tests[i].bound;
        switch (tests[i].kind) {
        case CM_AT_MOST: all &= number <= bound; break;
        case CM_AT_LEAST: all &= number >= bound; break;
        case CM_LESS_THAN: all &= number < bound; break;
        default: all &= number > bound; break;
        }
    }
    return all;
}
