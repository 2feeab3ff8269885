/// Fields of a line of text: where they end, and what features the common ones become.
#ifndef CM_FIELDS_H
#define CM_FIELDS_H

#include <stdint.h>

/// A double quote is somewhere in the line.
#define CM_FIELDS_QUOTE 1u
/// A byte above 0x7F is somewhere in the line.
#define CM_FIELDS_HIGH 2u

/// Places that `encode` needs room for beside those of the fields: it reads and writes whole
/// vectors.
#define CM_FIELDS_SLACK 64

/// What a step makes of its field; a text that it does not take is left to the caller.
enum {
    /// One feature: a short decimal number. Missing: NaN.
    CM_STEP_NUMBER,
    /// `width` features, one of each of as many fields: short decimal numbers. Missing: NaN.
    CM_STEP_NUMBERS,
    /// One feature: minutes since midnight of `hmm` or `hhmm`. Missing: NaN.
    CM_STEP_TIME,
    /// `width` features: that of the text's place in a vocabulary is 1, of one that is not in it
    /// the last but one. Missing: the last.
    CM_STEP_ONE_HOT,
    /// `width` features, of which that is 1 that the text hashes to. Missing: none.
    CM_STEP_HASH,
    /// `width` features: that of the number of edges that a short decimal number is not below is 1.
    /// Missing: the last.
    CM_STEP_BUCKET,
    /// Always left to the caller.
    CM_STEP_OTHER,
};

/// How one field becomes features, or how neighbouring fields become neighbouring ones.
typedef struct {
    int32_t kind;
    /// What the caller calls the step; of several fields, the first, the others follow.
    int32_t number;
    /// Which field of the line; of several, the first.
    int32_t column;
    /// The first feature, and how many.
    int32_t place, width;
    /// Of a bucket, the edges `edges[first ..< first + count]`; of a vocabulary, the slots
    /// `slots[first ..< first + count]`, a power of two of them, behind which stands the place of
    /// its first text in the list of all.
    int32_t first, count;
    /// Of a vocabulary, the keys `keys[key_first ..< key_first + key_count]`, a power of two.
    int32_t key_first, key_count;
} cm_step;

/// How a number is compared with a bound.
enum { CM_AT_MOST, CM_AT_LEAST, CM_LESS_THAN, CM_GREATER_THAN };

/// A test of a number.
typedef struct {
    double bound;
    int32_t kind;
} cm_test;

/// How a label is made, or which rows take a route.
enum {
    /// A label: none, NaN. A route: all rows.
    CM_RULE_ALL,
    /// The label is the number.
    CM_RULE_VALUE,
    /// The label is whether all tests hold; a row takes the route when all do.
    CM_RULE_TESTS,
    /// A row takes the route when its offset leaves `equals` over `modulo`.
    CM_RULE_OFFSET,
    /// Left to the caller.
    CM_RULE_OTHER,
};

/// A rule about one field: the tests `tests[first ..< first + count]`.
typedef struct {
    uint64_t modulo, equals;
    int32_t kind, column, first, count;
    /// The label of a missing value; left to the caller where `missing_is_fault`.
    float missing;
    int32_t missing_is_fault;
} cm_rule;

/// Texts one after the other: text `i` is `bytes[ends[i - 1] ..< ends[i]]`, the first begins at 0.
typedef struct {
    const uint8_t *bytes;
    const int64_t *ends;
    int64_t count;
} cm_texts;

/// How lines become rows of features.
typedef struct {
    /// As many fields as a line has.
    int32_t column_count;
    uint8_t separator;
    /// Whether an empty field is a missing value; if not, it is left to the caller.
    uint8_t empty_is_missing;
    const cm_step *steps;
    int32_t step_count;
    /// The fields that are read as short numbers at once, before the steps: bit `c` for field `c`,
    /// of the first `CM_EARLY_NUMBERS`.
    uint64_t early;
    /// The features that are 0 before the steps, which only write what is not.
    int32_t clear_first, clear_count;
    const double *edges;
    /// Which text a slot holds, -1 for none.
    const int32_t *slots;
    /// The texts of one to seven bytes of the vocabularies, see `cm_key_slot`; 0 for none.
    const uint64_t *keys;
    /// The feature of each key, counted from the first of its step.
    const int32_t *key_places;
    cm_texts vocabulary;
    /// Other texts that mean that a value is missing; none of them is a number.
    cm_texts missing;
    cm_rule label;
    const cm_rule *routes;
    int32_t route_count;
    const cm_test *tests;
} cm_row_program;

#define CM_EARLY_NUMBERS 64

/// Where the search for a key begins among `count` slots, a power of two; it goes on from slot to
/// slot. A key is a text of one to seven bytes, the first in the lowest but one byte, and its
/// length in the lowest.
static inline int32_t cm_key_slot(uint64_t key, int32_t count)
{
    uint64_t mixed = key * 0x9E3779B97F4A7C15u;
    return (int32_t)((mixed >> 32) & (uint32_t)(count - 1));
}

/// What became of a line.
typedef struct {
    /// What is in the line: `CM_FIELDS_HIGH`, or 0.
    uint32_t flags;
    /// How many steps are left to the caller.
    int32_t left_count;
    /// Whether `label` and `route` say what they should; if not, they are left to the caller.
    int32_t is_settled;
    /// The label, NaN for none.
    float label;
    /// The first route that the row takes; -1 where it takes none.
    int32_t route;
} cm_row_outcome;

/// What is done with lines of text, for one kind of processor. Every set gives the same bits.
typedef struct {
    const char *name;

    /// Finds all separators in `text[0 ..< count]`, `count` being at most INT32_MAX.
    ///
    /// Their places go to `places`, in order, as far as there is room; what else is in the line is
    /// told by `flags`. Nothing is read behind the text.
    ///
    /// Returns how many there are, which may be more than `room`.
    int64_t (*find)(
        const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
        uint32_t *flags);

    /// Splits a line and carries out all steps of a program, then its rules.
    ///
    /// `places` has room for `column_count + 1 + CM_FIELDS_SLACK`: field `c` stands behind
    /// `places[c]` and before `places[c + 1]`; `places[0]` has to be -1. The numbers of the steps
    /// that are left to the caller go to `left`, in order; it has room for all, and every field of a
    /// `CM_STEP_NUMBERS` counts.
    ///
    /// Numbers are up to eight digits with a sign or none, or up to seven and among them a point,
    /// which has a digit on both sides; each becomes the float32 (for an edge or a test, the
    /// double) that is nearest to what the text says: digits alone are rounded once; with a point,
    /// digits and power of ten are exact, and their quotient is rounded once.
    ///
    /// Returns 0, and nothing else is told, where the line has quotes or another number of fields.
    int32_t (*encode)(
        const cm_row_program *program, const uint8_t *text, int64_t count, uint64_t offset,
        int32_t *places, int32_t *left, float *row, cm_row_outcome *outcome);
} cm_fields_set;

/// What a set does; null where the processor or the operating system lacks what it needs.
/// `cm_fields_portable` is never null.
const cm_fields_set *cm_fields_avx512(void);
const cm_fields_set *cm_fields_avx2(void);
const cm_fields_set *cm_fields_portable(void);

/// The fastest set of this processor, chosen once.
const cm_fields_set *cm_fields_best(void);

#endif
