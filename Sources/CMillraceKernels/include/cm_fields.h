/// Fields of a line of text: where they end, and what features the common ones become.
#ifndef CM_FIELDS_H
#define CM_FIELDS_H

#include <stdint.h>

/// A double quote is somewhere in the line.
#define CM_FIELDS_QUOTE 1u
/// A byte above 0x7F is somewhere in the line.
#define CM_FIELDS_HIGH 2u

/// Finds all separators in `text[0 ..< count]`, `count` being at most INT32_MAX.
///
/// Their places go to `places`, in order, as far as there is room; what else is in the line is told
/// by `flags`. Nothing is read behind the text.
///
/// Returns how many there are, which may be more than `room`.
int64_t cm_fields_find(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags);

/// What a step makes of its field; a text that it does not take is left to the caller.
enum {
    /// One feature: a short decimal number. Missing: NaN.
    CM_STEP_NUMBER,
    /// One feature: minutes since midnight of `hmm` or `hhmm`. Missing: NaN.
    CM_STEP_TIME,
    /// `width` features: that of the text's place in a vocabulary is 1, of one that is not in it the
    /// last but one. Missing: the last.
    CM_STEP_ONE_HOT,
    /// `width` features, of which that is 1 that the text hashes to. Missing: none.
    CM_STEP_HASH,
    /// `width` features: that of the number of edges that a short decimal number is not below is 1.
    /// Missing: the last.
    CM_STEP_BUCKET,
    /// Always left to the caller.
    CM_STEP_OTHER,
};

/// How one field becomes features.
typedef struct {
    int32_t kind;
    /// Which field of the line.
    int32_t column;
    /// The first feature, and how many.
    int32_t place, width;
    /// Of a bucket, the edges `edges[first ..< first + count]`; of a vocabulary, the slots
    /// `slots[first ..< first + count]`, a power of two of them.
    int32_t first, count;
} cm_step;

/// Texts one after the other: text `i` is `bytes[ends[i - 1] ..< ends[i]]`, the first begins at 0.
typedef struct {
    const uint8_t *bytes;
    const int64_t *ends;
    int64_t count;
} cm_texts;

/// How lines become rows of features.
typedef struct {
    const cm_step *steps;
    int32_t step_count;
    /// Features of a row.
    int32_t width;
    /// Whether an empty field is a missing value; if not, it is left to the caller.
    int32_t empty_is_missing;
    const double *edges;
    /// Which text a slot holds, -1 for none.
    const int32_t *slots;
    cm_texts vocabulary;
    /// Other texts that mean that a value is missing; none of them is a number.
    cm_texts missing;
} cm_row_program;

/// Carries out the steps from `from` on, all of a row being 0 before the first; returns the first that is left to the caller, or
/// `step_count` after the last.
///
/// Field `c` of `text` stands behind `places[c]` and before `places[c + 1]`. Numbers are up to eight
/// digits with a sign or none, or up to seven and among them a point, which has a digit on both
/// sides; each becomes the float32 (for an edge, the double) that is nearest to what the text says:
/// digits alone are rounded once; with a point, digits and power of ten are exact, and their quotient
/// is rounded once.
int32_t cm_row_encode(
    const cm_row_program *program, int32_t from, const uint8_t *text, const int32_t *places,
    float *row);

#endif
