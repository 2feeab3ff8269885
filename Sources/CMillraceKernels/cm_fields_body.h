// What is done with lines of text, written once. cm_fields.c includes this for each set and defines
// before:
//   CM_SET(name)        the name of a function of this set
//   CM_NAME             the name of the set
//   CM_SHORT_COUNT      how many fields `read_short` takes at most
//   find                as in `cm_fields_set`
//   scan                as `find`, and where `ends`, the end of the text counts as a separator too
//   read_short          reads fields of up to four bytes, sign and digits, as numbers; where
//                       `has_room`, more than `count` of them can be stored

/// A line, its fields, and what is known of them: of field `c` below 64, `numbers[c]` is its number
/// where bit `c` of `is_short` is set, and bit `c` of `is_negative` whether it has a sign.
typedef struct {
    const uint8_t *text;
    int64_t count;
    const int32_t *places;
    uint64_t is_short, is_negative;
    float numbers[CM_EARLY_NUMBERS];
} CM_SET(line);

CM_INLINE int CM_SET(is_early)(const CM_SET(line) *line, int32_t column) {
    return column < CM_EARLY_NUMBERS && line->is_short >> column & 1;
}

/// A field's number for an edge or a test; 0 where it is none.
CM_INLINE int CM_SET(double_at)(const CM_SET(line) *line, int32_t column, double *number) {
    if (CM_SET(is_early)(line, column)) {
        *number = line->numbers[column];
        return 1;
    }
    decimal read;
    const uint8_t *at = line->text + line->places[column] + 1;
    const uint8_t *end = line->text + line->places[column + 1];
    if (at == end || !read_decimal(line->text, at, end, &read)) return 0;
    *number = double_of(read);
    return 1;
}

/// Whether a field means that its value is missing; -1 where the caller has to say so.
CM_INLINE int CM_SET(missing_at)(
    const cm_row_program *program, const CM_SET(line) *line, int32_t column) {
    const uint8_t *at = line->text + line->places[column] + 1;
    const uint8_t *end = line->text + line->places[column + 1];
    if (at == end) return program->empty_is_missing ? 1 : -1;
    return is_missing(&program->missing, at, end);
}

/// Writes a number or that it is missing; 0 where it is left to the caller.
CM_INLINE int CM_SET(write_number)(
    const cm_row_program *program, const CM_SET(line) *line, int32_t column, float *to) {
    decimal read;
    const uint8_t *at = line->text + line->places[column] + 1;
    const uint8_t *end = line->text + line->places[column + 1];
    if (at != end && read_decimal(line->text, at, end, &read)) {
        *to = float_of(read);
        return 1;
    }
    if (CM_SET(missing_at)(program, line, column) != 1) return 0;
    *to = NAN;
    return 1;
}

/// Neighbouring numbers, as many at once as a vector holds.
CM_INLINE int32_t CM_SET(write_numbers)(
    const cm_row_program *program, const cm_step *step, const CM_SET(line) *line, float *row,
    int32_t *left, int32_t left_count) {
    for (int32_t i = 0; i < step->width; i += CM_SHORT_COUNT) {
        int32_t count = step->width - i < CM_SHORT_COUNT ? step->width - i : CM_SHORT_COUNT;
        const int32_t *places = line->places + step->column + i;
        float *to = row + step->place + i;
        uint32_t negative, all = 0xFFFFFFFFu >> (32 - count);
        uint32_t known = line->count < 4
            ? 0 : CM_SET(read_short)(line->text, places, count, to, 0, &negative);
        for (uint32_t others = all & ~known; others; others &= others - 1) {
            int32_t lane = __builtin_ctz(others);
            if (!CM_SET(write_number)(program, line, step->column + i + lane, to + lane))
                left[left_count++] = step->number + i + lane;
        }
    }
    return left_count;
}

CM_INLINE int CM_SET(write_time)(
    const cm_row_program *program, const cm_step *step, const CM_SET(line) *line, float *row) {
    int32_t minutes;
    if (CM_SET(is_early)(line, step->column)) {
        if (line->is_negative >> step->column & 1) return 0;
        minutes = minutes_of((int32_t)line->numbers[step->column]);
    } else {
        int missing = CM_SET(missing_at)(program, line, step->column);
        if (missing) {
            row[step->place] = NAN;
            return missing == 1;
        }
        const uint8_t *at = line->text + line->places[step->column] + 1;
        const uint8_t *end = line->text + line->places[step->column + 1];
        minutes = read_minutes(line->text, at, end);
    }
    row[step->place] = (float)minutes;
    return minutes >= 0;
}

CM_INLINE int CM_SET(write_bucket)(
    const cm_row_program *program, const cm_step *step, const CM_SET(line) *line, float *row) {
    double number;
    int32_t bucket = step->width - 1;
    if (CM_SET(double_at)(line, step->column, &number)) {
        bucket = bucket_of(program->edges + step->first, step->count, number);
    } else if (CM_SET(missing_at)(program, line, step->column) != 1) {
        return 0;
    }
    row[step->place + bucket] = 1;
    return 1;
}

/// One of a step's features is 1, by the text of its field.
CM_INLINE int CM_SET(write_text)(
    const cm_row_program *program, const cm_step *step, const CM_SET(line) *line, float *row) {
    int missing = CM_SET(missing_at)(program, line, step->column);
    if (missing < 0) return 0;
    const uint8_t *at = line->text + line->places[step->column] + 1;
    const uint8_t *end = line->text + line->places[step->column + 1];
    if (step->kind == CM_STEP_ONE_HOT) {
        int32_t place =
            missing ? step->width - 1 : place_of(program, step, line->text, line->count, at, end);
        row[step->place + place] = 1;
    } else if (!missing) {
        uint64_t width = (uint64_t)step->width, hash = hash_of(at, end);
        row[step->place + (width & (width - 1) ? hash % width : hash & (width - 1))] = 1;
    }
    return 1;
}

/// Carries out all steps; returns how many are left to the caller.
CM_INLINE int32_t CM_SET(run_steps)(
    const cm_row_program *program, const CM_SET(line) *line, float *row, int32_t *left) {
    int32_t left_count = 0;
    for (int32_t i = 0; i < program->step_count; i++) {
        const cm_step *step = &program->steps[i];
        int done = 0;
        switch (step->kind) {
        case CM_STEP_NUMBER:
            if (CM_SET(is_early)(line, step->column)) {
                row[step->place] = line->numbers[step->column];
                done = 1;
            } else {
                done = CM_SET(write_number)(program, line, step->column, row + step->place);
            }
            break;
        case CM_STEP_NUMBERS:
            left_count = CM_SET(write_numbers)(program, step, line, row, left, left_count);
            continue;
        case CM_STEP_TIME: done = CM_SET(write_time)(program, step, line, row); break;
        case CM_STEP_ONE_HOT:
        case CM_STEP_HASH: done = CM_SET(write_text)(program, step, line, row); break;
        case CM_STEP_BUCKET: done = CM_SET(write_bucket)(program, step, line, row); break;
        default: break;
        }
        left[left_count] = step->number;
        left_count += !done;
    }
    return left_count;
}

CM_INLINE int CM_SET(run_label)(
    const cm_row_program *program, const CM_SET(line) *line, float *label) {
    const cm_rule *rule = &program->label;
    *label = NAN;
    if (rule->kind == CM_RULE_ALL) return 1;
    if (rule->kind == CM_RULE_OTHER) return 0;
    if (rule->kind == CM_RULE_VALUE) {
        if (CM_SET(is_early)(line, rule->column)) {
            *label = line->numbers[rule->column];
            return 1;
        }
        decimal read;
        const uint8_t *at = line->text + line->places[rule->column] + 1;
        const uint8_t *end = line->text + line->places[rule->column + 1];
        if (at != end && read_decimal(line->text, at, end, &read)) {
            *label = float_of(read);
            return 1;
        }
    } else {
        double number;
        if (CM_SET(double_at)(line, rule->column, &number)) {
            *label = (float)passes(program->tests + rule->first, rule->count, number);
            return 1;
        }
    }
    *label = rule->missing;
    return !rule->missing_is_fault && CM_SET(missing_at)(program, line, rule->column) == 1;
}

CM_INLINE int CM_SET(run_routes)(
    const cm_row_program *program, const CM_SET(line) *line, uint64_t offset, int32_t *route) {
    for (int32_t i = 0; i < program->route_count; i++) {
        const cm_rule *rule = &program->routes[i];
        double number;
        *route = i;
        switch (rule->kind) {
        case CM_RULE_ALL: return 1;
        case CM_RULE_OFFSET:
            if (offset % rule->modulo == rule->equals) return 1;
            break;
        case CM_RULE_TESTS:
            if (CM_SET(double_at)(line, rule->column, &number)) {
                if (passes(program->tests + rule->first, rule->count, number)) return 1;
            } else if (CM_SET(missing_at)(program, line, rule->column) != 1) {
                return 0;
            }
            break;
        default: return 0;
        }
    }
    *route = -1;
    return 1;
}

static int32_t CM_SET(encode)(
    const cm_row_program *program, const uint8_t *text, int64_t count, uint64_t offset,
    int32_t *places, int32_t *left, float *row, cm_row_outcome *outcome) {
    const int32_t columns = program->column_count;
    int64_t found = CM_SET(scan)(
        text, count, program->separator, places + 1, columns + CM_FIELDS_SLACK, &outcome->flags,
        1);
    if (found != columns || outcome->flags & CM_FIELDS_QUOTE) return 0;

    CM_SET(line) line;
    line.text = text;
    line.count = count;
    line.places = places;
    line.is_short = line.is_negative = 0;
    for (int32_t c = 0; c < CM_EARLY_NUMBERS && c < columns; c += CM_SHORT_COUNT) {
        if (!(program->early >> c & 0xFFFFFFFFu >> (32 - CM_SHORT_COUNT)) || count < 4) continue;
        int32_t fields = columns - c < CM_SHORT_COUNT ? columns - c : CM_SHORT_COUNT;
        uint32_t negative;
        uint32_t known =
            CM_SET(read_short)(text, places + c, fields, line.numbers + c, 1, &negative);
        line.is_short |= (uint64_t)known << c;
        line.is_negative |= (uint64_t)negative << c;
    }
    memset(row + program->clear_first, 0, (size_t)program->clear_count * sizeof(float));
    outcome->left_count = CM_SET(run_steps)(program, &line, row, left);
    outcome->is_settled = CM_SET(run_label)(program, &line, &outcome->label)
        && CM_SET(run_routes)(program, &line, offset, &outcome->route);
    return 1;
}

static const cm_fields_set CM_SET(set) = {CM_NAME, CM_SET(find), CM_SET(encode)};

#undef CM_SET
#undef CM_NAME
#undef CM_SHORT_COUNT
