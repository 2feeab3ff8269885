// Splits and encodes random lines by every set of kernels: each line stands at the beginning or the
// end of memory that cannot be touched elsewhere, and all sets have to say the same, to the bit.
#include "cm_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST_BYTES = 400, STEPS = 8, WIDTH = 9 };

static uint64_t state;

static uint64_t below(uint64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

/// Mostly short numbers; other bytes now and then.
static uint8_t random_byte(void) {
    uint64_t kind = below(10);
    if (kind < 2) return ',';
    if (kind < 8) return (uint8_t)('0' + below(10));
    if (kind == 8) return '-';
    return below(20) ? (uint8_t)('A' + below(3)) : (uint8_t)below(256);
}

/// What one set makes of a line.
typedef struct {
    int32_t is_encoded;
    int64_t separators;
    cm_row_outcome outcome;
    int32_t *left;
    float *row;
} result;

static result run(
    const cm_fields_set *set, const cm_row_program *program, const uint8_t *text, int64_t count,
    int32_t numbers, int32_t width, int32_t room) {
    result made = {0};
    int32_t columns = program->column_count;
    // Blocks of exactly the size that is asked for: the sanitizer sees a step beyond.
    int32_t *places = malloc(sizeof(int32_t) * (size_t)(columns + 1 + CM_FIELDS_SLACK));
    int32_t *some = malloc(sizeof(int32_t) * (size_t)(room + 1));
    made.left = calloc((size_t)numbers, sizeof(int32_t));
    made.row = calloc((size_t)width, sizeof(float));
    places[0] = -1;
    made.is_encoded = set->encode(
        program, text, count, 7, places, made.left, made.row, &made.outcome);
    uint32_t flags;
    made.separators = set->find(text, count, ',', some, room, &flags);
    free(places);
    free(some);
    return made;
}

static int is_left(const result *made, int32_t number) {
    for (int32_t i = 0; i < made->outcome.left_count; i++)
        if (made->left[i] == number) return 1;
    return 0;
}

/// What is wrong with the second, or null. Features of steps that are left may be anything.
static const char *difference(
    const cm_row_program *program, const result *one, const result *other) {
    if (other->separators != program->column_count - 1) return "separators";
    if (one->is_encoded != other->is_encoded) return "whether it is encoded";
    if (!one->is_encoded) return NULL;
    const cm_row_outcome *a = &one->outcome, *b = &other->outcome;
    if (a->left_count != b->left_count || a->is_settled != b->is_settled || a->flags != b->flags)
        return "outcome";
    if (memcmp(one->left, other->left, sizeof(int32_t) * (size_t)a->left_count)) return "steps";
    if (a->is_settled && (a->route != b->route || memcmp(&a->label, &b->label, sizeof(float))))
        return "label or route";
    for (int32_t i = 0; i < program->step_count; i++) {
        const cm_step *step = &program->steps[i];
        for (int32_t k = 0; k < step->width; k++) {
            int32_t of_each = step->kind == CM_STEP_NUMBERS ? k : 0, place = step->place + k;
            if (is_left(one, step->number + of_each)) continue;
            if (memcmp(&one->row[place], &other->row[place], sizeof(float))) return "features";
        }
    }
    return NULL;
}

/// One line by all sets; returns what is wrong, or null.
static const char *check(const cm_fields_set *const *sets, int32_t set_count, uint8_t *page) {
    static const double edges[] = {-5, 0, 1, 5, 10, 100, 1000};
    static const int32_t slots[] = {-1, -1, -1, -1, 0};
    static const uint64_t keys[4] = {0};
    static const int32_t key_places[4] = {0};
    static const cm_test tests[] = {{10, CM_AT_MOST}};
    static const int32_t kinds[] = {
        CM_STEP_NUMBER, CM_STEP_TIME, CM_STEP_ONE_HOT, CM_STEP_HASH, CM_STEP_BUCKET};
    int64_t count = (int64_t)below(below(4) ? 60 : MOST_BYTES);
    uint8_t *text = below(2) ? page : page + PAGE - count;
    int32_t columns = 1;
    for (int64_t i = 0; i < count; i++) columns += (text[i] = random_byte()) == ',';

    cm_step steps[STEPS];
    int32_t step_count = 0, width = 0, first = (int32_t)below((uint64_t)columns);
    if (columns - first >= 8) {
        width = columns - first;
        steps[step_count++] =
            (cm_step){.kind = CM_STEP_NUMBERS, .column = first, .width = width};
    }
    int32_t numbers = width;
    while (step_count < STEPS) {
        int32_t kind = kinds[below(5)];
        cm_step step = {.kind = kind, .number = numbers++, .place = width, .key_count = 4};
        step.column = (int32_t)below((uint64_t)columns);
        step.width = kind == CM_STEP_NUMBER || kind == CM_STEP_TIME ? 1 : WIDTH;
        step.count = kind == CM_STEP_BUCKET ? 7 : 4;
        width += step.width;
        steps[step_count++] = step;
    }
    const cm_rule routes[] = {
        {.kind = CM_RULE_TESTS, .column = (int32_t)below((uint64_t)columns), .count = 1},
        {.kind = CM_RULE_ALL}};
    const cm_row_program program = {
        .column_count = columns, .separator = ',', .empty_is_missing = below(2) == 0,
        .steps = steps, .step_count = step_count, .early = below(UINT64_MAX),
        .clear_count = width, .edges = edges, .slots = slots, .keys = keys,
        .key_places = key_places, .routes = routes, .route_count = 2, .tests = tests,
        .label = {.kind = CM_RULE_VALUE, .column = (int32_t)below((uint64_t)columns)}};

    const char *wrong = NULL;
    result results[3];
    int32_t room = (int32_t)below((uint64_t)columns);
    for (int32_t i = 0; i < set_count; i++) {
        results[i] = run(sets[i], &program, text, count, numbers, width, room);
        if (!wrong) wrong = difference(&program, &results[0], &results[i]);
    }
    for (int32_t i = 0; i < set_count; i++) {
        free(results[i].left);
        free(results[i].row);
    }
    return wrong;
}

int main(int count, char **arguments) {
    long lines = count > 1 ? atol(arguments[1]) : 200000;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    uint8_t *pages = mmap(
        NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE)
        || mprotect(pages + 2 * PAGE, PAGE, PROT_NONE))
        return 1;
    const cm_fields_set *all[] = {cm_fields_portable(), cm_fields_avx2(), cm_fields_avx512()};
    const cm_fields_set *sets[3];
    int32_t set_count = 0;
    for (int32_t i = 0; i < 3; i++)
        if (all[i]) sets[set_count++] = all[i];
    state = seed * 2 + 1;
    for (long line = 0; line < lines; line++) {
        const char *wrong = check(sets, set_count, pages + PAGE);
        if (!wrong) continue;
        printf("seed %llu, line %ld: %s differ\n", (unsigned long long)seed, line, wrong);
        return 1;
    }
    printf("%ld lines by %d sets of kernels, the best %s: the same\n", lines, set_count,
           sets[set_count - 1]->name);
    return 0;
}
