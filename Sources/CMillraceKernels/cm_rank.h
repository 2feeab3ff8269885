// Pairs of rows in the order of their scores; see cm_body.h.
//
// Pairs are counted between parts of a range of keys, and then within each part: a radix sort from
// the highest digit on (Knuth, The Art of Computer Programming, volume 3, 5.2.5) that ends where so
// few are left that each is compared with each.

#define CM_PART_ROWS 24                // how many rows a part is to have
#define CM_FEW_ROWS (3 * CM_PART_ROWS) // and with how many each is compared with each
#define CM_PART_BITS_LEAST 3
#define CM_PART_BITS_MOST 12

// Rows as they come, or as their keys, doubled, and 1 more where they are positive.
typedef struct {
    const float *scores;
    const bool *positives;
    const uint32_t *words;
} ranked_rows;

// In the order of the scores, and equal where they are: the two zeros among others.
CM_INLINE uint32_t key_of(ranked_rows rows, size_t i) {
    if (!rows.scores) return rows.words[i] >> 1;
    int32_t bits;
    memcpy(&bits, rows.scores + i, sizeof bits);
    bits = bits == INT32_MIN ? 0 : bits;
    return (uint32_t)bits ^ ((uint32_t)(bits >> 31) | 0x80000000u);
}

CM_INLINE uint32_t is_positive(ranked_rows rows, size_t i) {
    return rows.scores ? rows.positives[i] : rows.words[i] & 1;
}

// Rows above all those counted so far; `within` is twice what is won among them.
static void count_rows(size_t positives, size_t negatives, uint64_t within, cm_pairs_won *won) {
    won->twice += 2 * won->negatives * positives + within;
    won->positives += positives;
    won->negatives += negatives;
}

static void count_few(const uint32_t *words, size_t count, cm_pairs_won *won) {
    int32_t hits[CM_FEW_ROWS], misses[CM_FEW_ROWS + CM_LANES];
    size_t positives = 0;
    for (size_t i = 0; i < count; i++) {
        hits[positives] = (int32_t)words[i];
        misses[i - positives] = (int32_t)words[i];
        positives += words[i] & 1;
    }
    const size_t negatives = count - positives;
    // None is above these.
    for (size_t i = 0; i < CM_LANES; i++) misses[negatives + i] = INT32_MAX;
    vi twice = {0};
    for (size_t i = 0; i < positives; i++) {
        for (size_t j = 0; j < negatives; j += CM_LANES) {
            vi miss;
            memcpy(&miss, misses + j, sizeof miss);
            // One more than the key doubled is above what is equal too. A mask is -1.
            twice -= (hits[i] > miss) + (hits[i] - 1 > miss);
        }
    }
    count_rows(positives, negatives, (uint64_t)__builtin_reduce_add(twice), won);
}

static void count_words(const uint32_t *words, uint32_t *sorted, uint32_t *spare, size_t count,
                        cm_pairs_won *won);

// Sorts rows by the highest digit of their keys above the least; `spare` may be where they are.
CM_INLINE void count_parts(ranked_rows rows, uint32_t *sorted, uint32_t *spare, size_t count,
                           cm_pairs_won *won) {
    uint32_t least = UINT32_MAX, most = 0, positives = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t key = key_of(rows, i);
        least = key < least ? key : least;
        most = key > most ? key : most;
        positives += is_positive(rows, i);
    }
    const uint32_t range = most - least;
    if (range == 0 || positives == 0 || positives == count) {
        const uint64_t pairs = (uint64_t)positives * (count - positives);
        return count_rows(positives, count - positives, pairs, won);
    }
    int bits = CM_PART_BITS_LEAST;
    while (bits < CM_PART_BITS_MOST && count >> bits > CM_PART_ROWS) bits++;
    const int all = 32 - __builtin_clz(range);
    const int shift = all > bits ? all - bits : 0;
    const size_t parts = (size_t)(range >> shift) + 1;
    uint32_t ends[1 << CM_PART_BITS_MOST];
    memset(ends, 0, parts * sizeof *ends);
    for (size_t i = 0; i < count; i++) ends[(key_of(rows, i) - least) >> shift]++;
    uint32_t place = 0;
    for (size_t part = 0; part < parts; part++) {
        const uint32_t own = ends[part];
        ends[part] = place;
        place += own;
    }
    // Each place moves to the end of its part, in which the digit tells nobody apart.
    const uint32_t rest = ((uint32_t)1 << shift) - 1;
    for (size_t i = 0; i < count; i++) {
        const uint32_t key = key_of(rows, i) - least;
        sorted[ends[key >> shift]++] = (key & rest) << 1 | is_positive(rows, i);
    }
    size_t begin = 0;
    for (size_t part = 0; part < parts; part++) {
        const size_t own = ends[part] - begin;
        if (own > CM_FEW_ROWS) {
            count_words(sorted + begin, spare + begin, sorted + begin, own, won);
        } else if (own > 0) {
            count_few(sorted + begin, own, won);
        }
        begin = ends[part];
    }
}

static void count_words(const uint32_t *words, uint32_t *sorted, uint32_t *spare, size_t count,
                        cm_pairs_won *won) {
    const ranked_rows rows = {.words = words};
    count_parts(rows, sorted, spare, count, won);
}

static cm_pairs_won count_pairs(const float *scores, const bool *positives, size_t count,
                                uint32_t *sorted, uint32_t *spare) {
    cm_pairs_won won = {0};
    const ranked_rows rows = {.scores = scores, .positives = positives};
    if (count > 0) count_parts(rows, sorted, spare, count, &won);
    return won;
}
